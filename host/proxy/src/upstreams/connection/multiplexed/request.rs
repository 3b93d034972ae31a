//! One request in HTTP/2: what it writes differently, and how far its failure reaches.

use http::header::{HeaderValue, TE};
use http::{Request, Uri, Version};

use crate::upstreams::connection::Addressee;
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

/// The request as it is written. RFC 9113 section 8.3.1: Host becomes `:authority`. `TE: trailers` (RFC 9110 section
/// 10.1.4) is what servers of gRPC require. A body that is not at hand is taken out of `request`.
pub(super) fn addressed(
    request: &mut Request<RequestBody>,
    to: Addressee<'_>,
    scheme: &str,
) -> Request<RequestBody> {
    let mut sent = Request::new(request.body_mut().lend());
    let mut uri = Uri::builder().scheme(scheme).authority(to.host.as_bytes());
    if let Some(path) = request.uri().path_and_query() {
        uri = uri.path_and_query(path.clone());
    }
    // Admission let only hosts pass; h2 itself refuses a request without one.
    if let Ok(uri) = uri.build() {
        *sent.uri_mut() = uri;
    }
    *sent.method_mut() = request.method().clone();
    *sent.version_mut() = Version::HTTP_2;
    sent.headers_mut().clone_from(request.headers());
    if let Some(added) = to.added {
        added.insert_into(sent.headers_mut());
    }
    sent.headers_mut()
        .insert(TE, HeaderValue::from_static("trailers"));
    sent
}
