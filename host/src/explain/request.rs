//! The request that is to be explained.

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use portcullis_syntax::Authority;
use portcullis_terminal::Failure;

use super::ExplainOptions;

/// As a client would send it.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) https: bool,
    /// With its port, as written.
    authority: String,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    pub(super) fn of(options: &ExplainOptions) -> Result<Asked, Failure> {
        let url = &options.url;
        let (https, socket) = match url.scheme_str() {
            Some("http") => (false, false),
            Some("https") => (true, false),
            Some("ws") => (false, true),
            Some("wss") => (true, true),
            _ => return Err(not_a_url(url)),
        };
        let authority = url.authority().ok_or_else(|| not_a_url(url))?.to_string();
        let mut headers = HeaderMap::new();
        if socket {
            handshake(&mut headers);
        }
        for line in &options.header {
            let (name, value) = header(line)?;
            headers.append(name, value);
        }
        if !headers.contains_key(HOST) {
            let host = HeaderValue::try_from(&authority).map_err(|_| not_a_url(url))?;
            headers.insert(HOST, host);
        }
        let root = || PathAndQuery::from_static("/");
        Ok(Asked {
            method: options.method.clone(),
            https,
            authority,
            target: url.path_and_query().cloned().unwrap_or_else(root),
            headers,
            body: options.data.clone().unwrap_or_default().into(),
        })
    }

    pub(super) fn request(&self, more: Option<(HeaderName, &str)>) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone().into();
        *request.headers_mut() = self.headers.clone();
        if let Some((name, value)) = more
            && let Ok(value) = HeaderValue::from_str(value)
        {
            request.headers_mut().insert(name, value);
        }
        request
    }

    /// Where it would be sent.
    pub(super) fn address(&self) -> String {
        let has_port = self
            .authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        match (has_port, self.https) {
            (true, _) => self.authority.clone(),
            (false, true) => format!("{}:443", self.authority),
            (false, false) => format!("{}:80", self.authority),
        }
    }

    /// What is routed by, in its one spelling; empty where it is no host.
    pub(super) fn host(&self) -> String {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.and_then(Authority::parse).unwrap_or_default();
        host.host().to_string()
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.target)
    }
}

/// RFC 6455 section 4.1.
fn handshake(headers: &mut HeaderMap) {
    let lines = [
        (CONNECTION, "upgrade"),
        (UPGRADE, "websocket"),
        (HeaderName::from_static("sec-websocket-version"), "13"),
        // Any 16 bytes: it only shows that the answer is to this request.
        (
            HeaderName::from_static("sec-websocket-key"),
            "cG9ydGN1bGxpcy1leHBsYQ==",
        ),
    ];
    for (name, value) in lines {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let mistake = |what: &str| {
        Failure::Mistake(format!(
            "error: {line:?} is not a header: {what}\n hint: write it like -H 'accept: text/html'"
        ))
    };
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| mistake("it has no colon"))?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| mistake("its name is not one"))?;
    let value = HeaderValue::try_from(value.trim()).map_err(|_| mistake("its value is not one"))?;
    Ok((name, value))
}

fn not_a_url(url: &Uri) -> Failure {
    Failure::Mistake(format!(
        "error: {url} is not what a client asks for\n hint: write it with its host, like https://gate.test/api/users"
    ))
}
