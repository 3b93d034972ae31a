//! The head of a server's response, without what belongs to the connection.

use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, Response, StatusCode};
use portcullis_exchange::Side;

use crate::ground::sift::strip_hop_by_hop;
use crate::ground::trailers;
use crate::ground::via::{protocol_of, write_via};

/// Status, headers and body of a server's response, as they may be passed on.
pub(crate) fn split<B>(response: Response<B>) -> (StatusCode, HeaderMap, B) {
    let (mut parts, body) = response.into_parts();
    let length = parts.headers.remove(CONTENT_LENGTH);
    let trailers = trailers::announced(&parts.headers, Side::Response);
    strip_hop_by_hop(&mut parts.headers);
    let headers = trailers.map(|names| (TRAILER, names));
    parts.headers.extend(headers);
    if let Some(length) = length {
        parts.headers.insert(CONTENT_LENGTH, length);
    }
    write_via(&mut parts.headers, protocol_of(parts.version));
    (parts.status, parts.headers, body)
}
