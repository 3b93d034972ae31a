//! A second copy of a request, for where sending it twice is safe.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use hyper::body::Body as _;

use crate::upstreams::request_body::RequestBody;

/// Everything of a request but what hyper makes of it.
pub(super) struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Spare {
    /// RFC 9110 section 9.2.2: idempotent methods may be repeated. A body that is still coming cannot.
    pub(super) fn of(request: &Request<RequestBody>) -> Option<Spare> {
        if !request.method().is_idempotent() {
            return None;
        }
        let body = match request.body() {
            RequestBody::Full(bytes) => bytes.clone(),
            body if body.is_end_stream() => None,
            RequestBody::Client { .. } | RequestBody::Wrapped(_) => return None,
        };
        Some(Spare {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body,
        })
    }

    /// Whether asking two servers at once is nothing but asking: a safe method (RFC 9110 section 9.2.1), no body.
    pub(super) fn is_plain_read(&self) -> bool {
        self.method.is_safe() && self.body.is_none()
    }

    pub(super) fn to_request(&self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Full(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}
