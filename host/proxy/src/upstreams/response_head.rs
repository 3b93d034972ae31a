//! The head of a server's response, without what belongs to the connection.

use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, Response, StatusCode};
use portcullis_exchange::Side;

use crate::ground::sift::strip_hop_by_hop;
use crate::ground::trailers;
use crate::ground::via::{protocol_of, write_via};

/// Status and headers of a server's response, as they may be passed on.
pub(crate) fn split(response: Response<()>) -> (StatusCode, HeaderMap) {
    let (mut parts, ()) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        strip(&mut parts.headers);
    }
    if let Some(names) = trailers::announced(&parts.headers, Side::Response) {
        parts.headers.insert(TRAILER, names);
    } else {
        parts.headers.remove(TRAILER);
    }
    write_via(&mut parts.headers, protocol_of(parts.version));
    (parts.status, parts.headers)
}

/// Takes out what belongs to the connection, but for the length and the names of trailers, which the rest of the way may
/// go by. A response that switches protocols is left as it is: its fields are what was agreed on.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let length = headers.remove(CONTENT_LENGTH);
    let trailers = trailers::announced(headers, Side::Response);
    strip_hop_by_hop(headers);
    let length = length.map(|length| (CONTENT_LENGTH, length));
    headers.extend(
        length
            .into_iter()
            .chain(trailers.map(|names| (TRAILER, names))),
    );
}
