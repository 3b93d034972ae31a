//! CORS (Fetch standard, "CORS protocol"): which pages of other origins may use the answers.

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN,
};
use http::{HeaderMap, Method, Response, StatusCode};
use portcullis_config::plan::{self, Origin};
use portcullis_exchange::Exchange;

use super::vary;
use crate::ground::refusal::{Reason, Refusal};
use crate::stages::content::Content;

#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<Origin>,
    /// None: the one that was asked for.
    methods: Option<HeaderValue>,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

/// Whose page asks; None: no page, or one of the same origin.
#[derive(Debug)]
pub(super) struct Asked {
    cors: Arc<Cors>,
    origin: Option<HeaderValue>,
}

/// The method that a preflight announces; None where this is none.
pub(crate) fn announced(x: &Exchange) -> Option<Method> {
    if x.method != Method::OPTIONS || !x.request.contains_key(ORIGIN) {
        return None;
    }
    let method = x.request.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

impl Cors {
    pub(super) fn new(plan: &plan::Cors, route_methods: &[String]) -> Cors {
        let methods = match plan.methods.as_slice() {
            [] => route_methods,
            methods => methods,
        };
        Cors {
            origins: plan.origins.clone(),
            methods: list(methods),
            headers: list(&plan.headers),
            expose: list(&plan.expose),
            credentials: plan.credentials,
            max_age: plan.max_age.as_secs().into(),
        }
    }

    /// The answer to a preflight; [`Asked::write`] adds what every answer has.
    pub(super) fn preflight(
        &self,
        x: &Exchange,
        method: &Method,
    ) -> Result<Response<Content>, Refusal> {
        let origin = x.request.get(ORIGIN);
        if !origin.is_some_and(|origin| self.allows(origin)) {
            return Err(Refusal::new(Reason::OriginNotAllowed));
        }
        let mut response = Response::new(Content::Full(None));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let methods = match &self.methods {
            Some(methods) => Some(methods.clone()),
            None => HeaderValue::from_str(method.as_str()).ok(),
        };
        if let Some(methods) = methods {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(allowed) = &self.headers {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Ok(response)
    }

    /// A page may open a WebSocket to anywhere, with the cookies of its visitor, and no browser asks before: where
    /// origins are listed, only those may, and pages of the same host (RFC 6455 section 10.2). Of those, a page over
    /// `http` may be anyone's who sits on the way: it opens no socket over `https`. One over `https` may open any, for
    /// what terminates TLS before the gateway need not say so. Programs send no Origin.
    pub(super) fn check_socket(&self, x: &Exchange, hosts: (&str, &str)) -> Result<(), Refusal> {
        let Some(origin) = x.request.get(ORIGIN) else {
            return Ok(());
        };
        let (scheme, host) = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .unwrap_or_default();
        let own_host = !host.is_empty() && (host == hosts.0 || host == hosts.1);
        let own = own_host && (scheme == "https" || (scheme == "http" && x.scheme == "http"));
        if own || self.allows(origin) {
            Ok(())
        } else {
            Err(Refusal::new(Reason::OriginNotAllowed))
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        self.origins.iter().any(|allowed| matches(allowed, origin))
    }

    fn is_open(&self) -> bool {
        self.origins.contains(&Origin::Any)
    }
}

impl Asked {
    pub(super) fn of(cors: Arc<Cors>, x: &Exchange) -> Asked {
        let origin = x.request.get(ORIGIN).cloned();
        Asked { cors, origin }
    }

    /// What every answer says of it, instead of what an upstream may have said.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let cors = &self.cors;
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if !cors.is_open() {
            // Also where nothing is allowed: a cache must not give this answer to a page that is.
            vary::add(headers, &ORIGIN);
        }
        let Some(origin) = self.origin.filter(|origin| cors.allows(origin)) else {
            return;
        };
        let allowed = if cors.is_open() {
            HeaderValue::from_static("*")
        } else {
            origin
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if cors.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = &cors.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }
}

/// Byte for byte: browsers write origins in one form only (RFC 6454 section 6.2).
fn matches(allowed: &Origin, origin: &str) -> bool {
    match allowed {
        Origin::Any => true,
        Origin::Exact(exact) => origin == exact,
        Origin::Below(scheme, suffix) => {
            let rest = origin.strip_prefix(scheme.as_str());
            let below = rest.and_then(|rest| rest.strip_suffix(suffix.as_str()));
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
            below.is_some_and(|name| !name.is_empty() && name.bytes().all(fits))
        }
        Origin::AnyPort(before) => {
            let port = origin.strip_prefix(before.as_str());
            port.is_some_and(|port| {
                (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
            })
        }
    }
}

fn list(words: &[String]) -> Option<HeaderValue> {
    // Tokens, as the plan says.
    let joined = (!words.is_empty()).then(|| words.join(", "))?;
    HeaderValue::try_from(joined).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_pages_of_its_own_host_that_are_no_less_secure() {
        let cors = Cors {
            origins: vec![Origin::Exact("https://app.example".into())],
            methods: None,
            headers: None,
            expose: None,
            credentials: false,
            max_age: 0.into(),
        };
        for (scheme, origin, want) in [
            ("https", "https://a.test", true),
            ("https", "https://first.test:81", true),
            ("https", "http://a.test", false),
            ("http", "http://a.test", true),
            ("http", "https://a.test", true),
            ("https", "wss://a.test", false),
            ("http", "ftp://a.test", false),
            ("http", "ws://a.test", false),
            ("http", "://a.test", false),
            ("http", "a.test", false),
            ("http", "null", false),
            ("http", "", false),
            ("http", "https://app.example", true),
            ("https", "https://evil.test", false),
        ] {
            let mut x = Exchange {
                scheme,
                ..Exchange::default()
            };
            x.request.insert(ORIGIN, HeaderValue::from_static(origin));
            let allowed = cors.check_socket(&x, ("a.test", "first.test:81")).is_ok();
            assert_eq!(allowed, want, "{scheme} {origin}");
        }
        // A request without a host has no pages.
        let mut x = Exchange {
            scheme: "http",
            ..Exchange::default()
        };
        x.request
            .insert(ORIGIN, HeaderValue::from_static("http://"));
        assert!(cors.check_socket(&x, ("", "")).is_err());
    }

    #[test]
    fn an_origin_matches_whole_or_not_at_all() {
        let exact = Origin::Exact("https://app.example".into());
        let below = Origin::Below("https://".into(), ".app.example".into());
        let port = Origin::AnyPort("http://localhost:".into());
        let table = [
            (&exact, "https://app.example", true),
            (&exact, "https://app.example.evil.test", false),
            (&exact, "https://app.example:8443", false),
            (&exact, "http://app.example", false),
            (&exact, "null", false),
            (&below, "https://a.app.example", true),
            (&below, "https://a.b.app.example", true),
            (&below, "https://app.example", false),
            (&below, "https://.app.example", false),
            (&below, "https://evilapp.example", false),
            (&below, "https://evil.test:1.app.example", false),
            (&below, "https://evil.test/.app.example", false),
            (&below, "https://a@evil.test#.app.example", false),
            (&below, "http://a.app.example", false),
            (&port, "http://localhost:5173", true),
            (&port, "http://localhost", false),
            (&port, "http://localhost:", false),
            (&port, "http://localhost:80.evil.test", false),
        ];
        for (allowed, origin, want) in table {
            assert_eq!(matches(allowed, origin), want, "{allowed:?} {origin}");
        }
    }
}
