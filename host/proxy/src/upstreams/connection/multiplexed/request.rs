//! One request in HTTP/2: what it writes differently, when it may be written again, and how far its failure reaches.

use http::header::{HOST, HeaderValue, TE};
use http::{Request, Uri, Version};

use crate::upstreams::request_body::RequestBody;

/// How far a failure reaches.
pub(super) enum Ending {
    /// The server says that it did nothing with the request (RFC 9113 section 8.7): it may be sent again.
    Unprocessed,
    Stream,
    Connection,
}

impl Ending {
    pub(super) fn of(error: &hyper::Error) -> Ending {
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            if let Some(h2) = cause.downcast_ref::<h2::Error>() {
                let refused = h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
                return match h2 {
                    h2 if h2.is_remote() && (h2.is_go_away() || refused) => Ending::Unprocessed,
                    h2 if h2.is_reset() => Ending::Stream,
                    _ => Ending::Connection,
                };
            }
            source = cause.source();
        }
        Ending::Connection
    }
}

/// The same request again, for methods that nobody else repeats: only where its body is at hand.
pub(super) fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if request.method().is_idempotent() {
        return None;
    }
    let mut spare = Request::new(request.body().again()?);
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

/// RFC 9113 section 8.3.1: Host becomes `:authority`. Trailers are welcome (RFC 9110 section 10.1.4), which servers of
/// gRPC want to be told.
pub(super) fn addressed(mut request: Request<RequestBody>, scheme: &str) -> Request<RequestBody> {
    let host = request.headers_mut().remove(HOST);
    let mut uri = Uri::builder().scheme(scheme);
    if let Some(host) = &host {
        uri = uri.authority(host.as_bytes());
    }
    if let Some(path) = request.uri().path_and_query() {
        uri = uri.path_and_query(path.clone());
    }
    // Admission let only hosts pass; h2 itself refuses a request without one.
    if let Ok(uri) = uri.build() {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
    request
        .headers_mut()
        .insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Undoes [`addressed`], for a request that goes elsewhere.
pub(super) fn as_http1(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let uri = request.uri();
    let host = uri
        .authority()
        .and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let path = uri.path_and_query().cloned().map(Uri::from);
    *request.uri_mut() = path.unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().remove(TE);
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    request
}
