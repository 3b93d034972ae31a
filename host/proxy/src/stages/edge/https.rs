//! Keeping clients on https: the redirect and `Strict-Transport-Security`.

use http::header::{LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use portcullis_exchange::Exchange;

use crate::ground::refusal::{Reason, Refusal};
use crate::stages::content::Content;
use crate::stages::forwarded::Provenance;
use crate::wire::guard::Client;
use crate::wire::tls::Termination;

/// A route that is served over https only.
#[derive(Debug, Clone, Copy)]
pub(super) struct HttpsOnly {
    /// The port that clients reach https on.
    pub(super) port: u16,
}

/// RFC 6797 section 7.2: over a secure transport only, and there in place of what a server may have said.
pub(crate) fn write_hsts(
    client: &Client,
    termination: Option<&Termination>,
    headers: &mut HeaderMap,
) {
    let tls = client.tls.as_ref().and(termination);
    if let Some(value) = tls.and_then(Termination::hsts) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

impl HttpsOnly {
    /// Where a request has to go that should have come by https. RFC 9110 section 15.4.9: 308 keeps method and body.
    /// Refused where the way there would not end.
    pub(super) fn redirect(
        self,
        x: &Exchange,
        provenance: &Provenance,
    ) -> Result<Option<Response<Content>>, Refusal> {
        if x.scheme == "https" {
            return Ok(None);
        }
        if provenance.scheme_unclear {
            // It may well have come by https, and would come back the same.
            return Err(Refusal::new(Reason::InvalidRequest)
                .detail("the proxy in front does not say clearly whether this came by https")
                .because("X-Forwarded-Proto or Forwarded of a trusted proxy is not understood"));
        }
        if x.host.is_empty() {
            return Err(Refusal::new(Reason::InvalidRequest).detail(
                "this is served over https only, and the request names no host to be sent to",
            ));
        }
        let port = match self.port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let to = format!("https://{}{port}{}", x.host, x.target.as_str());
        let mut response = Response::new(Content::Full(None));
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        let to = HeaderValue::try_from(to).expect("host and target are visible ASCII");
        response.headers_mut().insert(LOCATION, to);
        Ok(Some(response))
    }
}
