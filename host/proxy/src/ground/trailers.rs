//! Trailers: what may stand after a body (RFC 9110 section 6.5), in both directions.
//!
//! A recipient may take a trailer for a header. So nothing passes here that frames a message, routes it or says who
//! asks, and of a request nothing that could be taken for what the gateway or a plugin says; the rest passes as it is.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, TRAILER};
use http_body::Frame;
use portcullis_exchange::Side;

use crate::ground::{fields, sift};

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
/// Beginnings of what nobody may add to a request after it was authorized: plugins tell servers who asks in `x-…`.
const NEVER_OF_REQUESTS: [&str; 4] = ["if-", "proxy-", "sec-", "x-"];

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
    let added = || {
        let begins = NEVER_OF_REQUESTS
            .iter()
            .any(|beginning| text.starts_with(beginning));
        side == Side::Request && (begins || sift::may_be_taken_for_another(text))
    };
    NEVER.binary_search(&text).is_err() && !added()
}

/// What a message announces in `Trailer`, of that which may be one; HTTP/1.1 sends no other.
pub(crate) fn announced(headers: &HeaderMap, side: Side) -> Option<HeaderValue> {
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
        assert!(NEVER.is_sorted());
    }

    #[test]
    fn what_a_recipient_could_take_for_a_header_is_no_trailer() {
        let cases = [
            ("grpc-status", true),
            ("grpc-status-details-bin", true),
            ("server-timing", true),
            ("digest", true),
            ("my-checksum", true),
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
