//! One request and its response in flight, and what is known about them.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use portcullis_syntax::Target;

use crate::caller::{Caller, ClientCertificate};
use crate::outbound::Outbound;
use crate::trail::Trail;

/// The request and response in flight. The proxy makes it and lends it to plugins, one after the other.
#[derive(Default)]
pub struct Exchange {
    pub method: Method,
    pub target: Target,
    pub request: HeaderMap,
    /// Names of request headers that plugins set, added or removed; each once.
    pub changed_headers: Vec<HeaderName>,
    /// The same of the response.
    pub changed_response_headers: Vec<HeaderName>,
    /// None until there is a response.
    pub response: Option<ResponseHead>,
    /// Buffered, only while a body callback runs or afterwards when it was replaced.
    pub request_body: Option<Bytes>,
    pub response_body: Option<Bytes>,
    pub caller: Option<Caller>,
    pub request_id: Arc<str>,
    pub route: Arc<str>,
    /// Host of the request, lower case, as routed.
    pub host: Arc<str>,
    pub scheme: &'static str,
    pub client_ip: Option<IpAddr>,
    /// The certificate that the client presented, verified.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// From the route's path pattern: name and percent-decoded value.
    pub params: Vec<(Arc<str>, String)>,
    /// Milliseconds since 1970 when the exchange began.
    pub now_ms: u64,
    /// How granted plugins reach upstreams.
    pub outbound: Option<Arc<dyn Outbound>>,
    /// Scratch that plugins leave for each other.
    pub vars: Vec<(String, Vec<u8>)>,
    /// Outbound calls so far, by plugin.
    pub calls: Vec<(Arc<str>, u32)>,
    /// The steps so far, if the proxy records them.
    pub trail: Option<Trail>,
}

#[derive(Debug, Clone)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

/// One of the two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

impl std::fmt::Debug for Exchange {
    // Headers and bodies stay out: they hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .field("path", &self.target.path())
            .field("route", &self.route)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// The open set of attributes that the contract names.
    pub fn attr(&self, name: &str) -> Option<String> {
        let claims = || {
            self.caller
                .as_ref()
                .map(|c| c.claims.as_slice())
                .unwrap_or_default()
        };
        Some(match name {
            "request.id" => self.request_id.to_string(),
            "route" => self.route.to_string(),
            "client.ip" => self.client_ip?.to_string(),
            "scheme" => self.scheme.to_owned(),
            "host" => self.host.to_string(),
            "path" => self.target.canonical_path().to_owned(),
            "client.cert.subject" => self.client_certificate.as_ref()?.subject.clone(),
            "client.cert.dns" => self.client_certificate.as_ref()?.dns.join(","),
            "client.cert.uri" => self.client_certificate.as_ref()?.uri.join(","),
            "client.cert.email" => self.client_certificate.as_ref()?.email.join(","),
            "client.cert.ip" => self.client_certificate.as_ref()?.ip.join(","),
            "client.cert.fingerprint" => self.client_certificate.as_ref()?.fingerprint.clone(),
            "caller.id" => self.caller.as_ref()?.id.to_string(),
            "caller.roles" => self.caller.as_ref()?.roles.join(","),
            _ => {
                if let Some(claim) = name.strip_prefix("claim.") {
                    claims().iter().find(|(n, _)| n == claim)?.1.clone()
                } else {
                    let param = name.strip_prefix("param.")?;
                    self.params.iter().find(|(n, _)| &**n == param)?.1.clone()
                }
            }
        })
    }

    /// Counts an outbound call of a plugin; false when it has used up its `limit`.
    pub fn spend_call(&mut self, plugin: &Arc<str>, limit: u32) -> bool {
        let known = self.calls.iter().position(|(name, _)| name == plugin);
        let index = known.unwrap_or_else(|| {
            self.calls.push((plugin.clone(), 0));
            self.calls.len() - 1
        });
        let spent = &mut self.calls[index].1;
        *spent += 1;
        *spent <= limit
    }

    pub fn headers(&self, side: Side) -> Option<&HeaderMap> {
        match side {
            Side::Request => Some(&self.request),
            Side::Response => self.response.as_ref().map(|r| &r.headers),
        }
    }

    pub fn headers_mut(&mut self, side: Side) -> Option<&mut HeaderMap> {
        match side {
            Side::Request => Some(&mut self.request),
            Side::Response => self.response.as_mut().map(|r| &mut r.headers),
        }
    }

    pub fn body_mut(&mut self, side: Side) -> &mut Option<Bytes> {
        match side {
            Side::Request => &mut self.request_body,
            Side::Response => &mut self.response_body,
        }
    }
}
