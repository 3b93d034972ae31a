//! A request once more, for where sending it twice is safe.

use http::Request;

use crate::upstreams::request_body::RequestBody;

/// RFC 9110 section 9.2.2: idempotent methods may be repeated. A body that is still coming cannot.
pub(super) fn is_repeatable(request: &Request<RequestBody>) -> bool {
    request.method().is_idempotent() && request.body().is_at_hand()
}

/// A copy to ask a second server with at the same time, where asking is nothing but that: a safe method (RFC 9110 section
/// 9.2.1), no body.
pub(super) fn copy_of_plain_read(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let plain = request.method().is_safe() && matches!(request.body(), RequestBody::Full(None));
    plain.then(|| {
        let mut copy = Request::new(RequestBody::empty());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        copy.headers_mut().clone_from(request.headers());
        copy
    })
}
