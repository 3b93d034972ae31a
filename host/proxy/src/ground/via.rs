//! Via (RFC 9110 section 7.6.3).

use http::header::{HeaderValue, VIA};
use http::{HeaderMap, Version};

/// The gateway's name in Via.
const PSEUDONYM: &str = "portcullis";

/// The received protocol as Via writes it.
pub(crate) fn protocol_of(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    }
}

/// Appends ourselves to Via.
pub(crate) fn write_via(headers: &mut HeaderMap, protocol: &str) {
    match headers.get(VIA) {
        None if protocol == "1.1" => {
            headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        }
        before => {
            let before = before
                .and_then(|v| v.to_str().ok())
                .map(|v| format!("{v}, "))
                .unwrap_or_default();
            let text = format!("{before}{protocol} {PSEUDONYM}");
            // What is no header value any more stays as it was.
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(VIA, value);
            }
        }
    }
}
