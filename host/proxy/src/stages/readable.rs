//! A body that a rule can read: what a client may not ask for where a filter of the route reads response bodies.
//!
//! A client that may choose how a body is written may choose a way that the filter cannot read. So the request asks
//! for the whole body, as it is: the cache is asked so too, and stores and finds by it (`Vary`). The client loses
//! nothing by it: what it accepts was read before, and the gateway's own compression answers to that.

use http::HeaderMap;
use http::header::{ACCEPT_CHARSET, ACCEPT_ENCODING, HeaderName, HeaderValue, IF_RANGE, RANGE};

/// What servers answer with a part of a body, a difference between two, or another charset:
///
/// - `Range` and `If-Range`: 206 (RFC 9110 section 14.2). `Request-Range` is the draft's name for it, which Apache
///   httpd still reads.
/// - `A-IM`: 226 (RFC 3229).
/// - `Accept-Charset`: text, and JSON, in UTF-16 (RFC 9110 section 12.5.2, deprecated).
///
/// `TE` is not among them: it never leaves the gateway.
const NOT_ASKED: [HeaderName; 5] = [
    RANGE,
    IF_RANGE,
    HeaderName::from_static("request-range"),
    HeaderName::from_static("a-im"),
    ACCEPT_CHARSET,
];

/// Makes a request ask for a body that can be read. Without `Accept-Encoding` any coding would be welcome (RFC 9110
/// section 12.5.3), so it says `identity`; dictionaries (RFC 9842) need a coding of their own and go with it.
pub(crate) fn ask_for_readable(request: &mut HeaderMap) {
    for name in NOT_ASKED {
        request.remove(name);
    }
    request.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_asks_for_the_whole_body_as_it_is() {
        let mut request = HeaderMap::new();
        for (name, value) in [
            ("accept-encoding", "gzip"),
            ("accept-encoding", "br"),
            ("range", "bytes=1-"),
            ("if-range", "\"v1\""),
            ("request-range", "bytes=1-"),
            ("a-im", "vcdiff"),
            ("accept-charset", "utf-16"),
            ("accept", "application/json"),
            ("if-none-match", "\"v1\""),
        ] {
            request.append(name, HeaderValue::from_static(value));
        }
        ask_for_readable(&mut request);
        let mut left: Vec<_> = request
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        left.sort_unstable();
        let kept: [(&str, &[u8]); 3] = [
            ("accept", b"application/json"),
            ("accept-encoding", b"identity"),
            ("if-none-match", b"\"v1\""),
        ];
        assert_eq!(left, kept);
    }
}
