//! Trailers: what may stand after a body (RFC 9110 section 6.5), in both directions.
//!
//! A recipient may take a trailer for a header. So nothing passes here that frames a message, routes it or says who
//! asks. A response may have any other; a request only those that are listed here.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, TRAILER};
use http_body::Frame;
use portcullis_exchange::Side;

use crate::ground::fields;

/// Fields that are never trailers (RFC 9110 section 6.5.1).
const NEVER: [&str; 33] = [
    "accept",
    "accept-encoding",
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy",
    "range",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
];
/// What may trail a request: sums that cannot be known before its body ends, timings, and the status of gRPC. A server
/// may take a trailer for a header, and any other name may be one by which plugins tell services who asks.
const OF_REQUESTS: [&str; 8] = [
    "content-digest",
    "content-md5",
    "digest",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "repr-digest",
    "server-timing",
];

/// A frame with what may not be in it taken out. Data is left as it is.
pub(crate) fn checked(frame: Frame<Bytes>, side: Side) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let bad = trailers.keys().filter(|name| !may_trail(name, side));
            let bad: Vec<HeaderName> = bad.cloned().collect();
            bad.iter().for_each(|name| drop(trailers.remove(name)));
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

fn may_trail(name: &HeaderName, side: Side) -> bool {
    let text = name.as_str();
    match side {
        Side::Request => OF_REQUESTS.binary_search(&text).is_ok() || is_checksum(text),
        Side::Response => NEVER.binary_search(&text).is_err(),
    }
}

/// `my-checksum`, `checksum-sha256`. Not `x-checksum`: a name with `x-` may be a plugin's.
fn is_checksum(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let mut words = name.split('-');
    name.bytes().all(plain) && !name.starts_with("x-") && words.any(|word| word == "checksum")
}

/// What a message announces in `Trailer`, of that which may be one; HTTP/1.1 sends no other.
pub(crate) fn announced(headers: &HeaderMap, side: Side) -> Option<HeaderValue> {
    if !headers.contains_key(TRAILER) {
        return None;
    }
    let names = fields::elements(headers, &TRAILER);
    let names = names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let fitting: Vec<HeaderName> = names.filter(|name| may_trail(name, side)).collect();
    let fitting: Vec<&str> = fitting.iter().map(HeaderName::as_str).collect();
    if fitting.is_empty() {
        return None;
    }
    HeaderValue::from_str(&fitting.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_that_it_is_searched_by() {
        assert!(NEVER.is_sorted() && OF_REQUESTS.is_sorted());
    }

    #[test]
    fn what_a_recipient_could_take_for_a_header_is_no_trailer() {
        let cases = [
            ("grpc-status", true),
            ("grpc-status-details-bin", true),
            ("server-timing", true),
            ("digest", true),
            ("content-digest", true),
            ("repr-digest", true),
            ("my-checksum", true),
            ("checksum-sha256", true),
            ("x-checksum", false),
            ("x_checksum", false),
            ("checksums", false),
            ("my-sum", false),
            ("user-id", false),
            ("tenant", false),
            ("role", false),
            ("remote-user", false),
            ("accept-language", false),
            ("traceparent", false),
            ("soapaction", false),
            ("api-key", false),
            ("grpc-timeout", false),
            ("grpc-encoding", false),
            ("authorization", false),
            ("content-length", false),
            ("transfer-encoding", false),
            ("host", false),
            ("cookie", false),
            ("x-user-id", false),
            ("sec-fetch-site", false),
            ("x-forwarded-for", false),
            ("forwarded", false),
            ("if-match", false),
        ];
        for (name, may) in cases {
            let name = HeaderName::from_static(name);
            assert_eq!(may_trail(&name, Side::Request), may, "{name}");
        }
        // Trailing metadata of gRPC has any name.
        assert!(may_trail(
            &HeaderName::from_static("x-cost"),
            Side::Response
        ));
        assert!(!may_trail(
            &HeaderName::from_static("set-cookie"),
            Side::Response
        ));
    }
}
