//! Refusals as gRPC says them: HTTP 200, and the status in the head of a response without a body ("Trailers-Only",
//! PROTOCOL-HTTP2.md of grpc). Everything else of gRPC is HTTP/2 with trailers.

use std::fmt::Write as _;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use crate::ground::refusal::{Reason, Refusal};
use crate::stages::content::Content;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: &[u8] = b"application/grpc";

/// Codes of grpc's statuscodes.md.
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const NOT_FOUND: u8 = 5;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const ABORTED: u8 = 10;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// `application/grpc`, `application/grpc+proto` and so on; not `application/grpc-web`, which is not gRPC.
pub(crate) fn is_spoken<B>(request: &Request<B>) -> bool {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(GRPC));
    // A refusal in the way of gRPC has status 200, which would tell a CONNECT that it has a tunnel.
    request.version() == Version::HTTP_2
        && request.method() != Method::CONNECT
        && rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The one table from reasons to statuses of gRPC.
pub(crate) fn status(reason: Reason) -> u8 {
    match reason {
        Reason::MalformedRequest | Reason::InvalidRequest | Reason::Unprocessable => {
            INVALID_ARGUMENT
        }
        Reason::Unauthenticated => UNAUTHENTICATED,
        Reason::Forbidden | Reason::AddressDenied | Reason::OriginNotAllowed => PERMISSION_DENIED,
        // A method that nobody serves; things that are not found are the services' own to tell.
        Reason::RouteNotFound
        | Reason::MethodNotAllowed
        | Reason::UnsupportedMedia
        | Reason::MethodNotSupported
        | Reason::UpgradeRequired
        | Reason::EncodingNotSupported => UNIMPLEMENTED,
        Reason::NotFound => NOT_FOUND,
        Reason::Conflict => ABORTED,
        Reason::BodyTooLarge
        | Reason::UriTooLong
        | Reason::RateLimited
        | Reason::TooManyAtOnce
        | Reason::TooManySockets
        | Reason::HeadTooLarge => RESOURCE_EXHAUSTED,
        Reason::PluginFailed | Reason::PluginTimedOut | Reason::Internal => INTERNAL,
        // Clients of gRPC may try again on this one.
        Reason::UpstreamUnreachable
        | Reason::Unavailable
        | Reason::Maintenance
        | Reason::PluginsBusy
        | Reason::Overloaded
        | Reason::RouteBusy
        | Reason::UpstreamBusy
        | Reason::CircuitOpen
        | Reason::SocketsFull
        | Reason::NotStored => UNAVAILABLE,
        Reason::UpstreamBroken => INTERNAL,
        Reason::RequestTimeout | Reason::UpstreamTimeout | Reason::DeadlineExceeded => {
            DEADLINE_EXCEEDED
        }
    }
}

/// The same refusal for a client that speaks gRPC; what else it carries (`Retry-After`, challenges) is kept.
pub(crate) fn refusal(refusal: &Refusal, mut response: Response<Content>) -> Response<Content> {
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Content::Full(None);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(
        GRPC_STATUS,
        HeaderValue::from(u16::from(status(refusal.reason))),
    );
    let text = refusal.detail.as_deref().unwrap_or(refusal.reason.title());
    if let Ok(message) = HeaderValue::try_from(percent_encoded(text)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// `Status-Message` of PROTOCOL-HTTP2.md: printable ASCII but `%` stands for itself.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_in_the_row_of_its_status_in_the_docs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/http2.md");
        let page = std::fs::read_to_string(path).expect("the page");
        for reason in Reason::ALL {
            let name = format!("`{}`", reason.as_str());
            let row = page
                .lines()
                .find(|line| line.starts_with("| `") && line.contains(&name));
            let code = format!("| {} ", status(*reason));
            assert!(
                row.is_some_and(|row| row.contains(&code)),
                "{name}: {row:?}"
            );
        }
    }

    #[test]
    fn only_grpc_over_http2_is_grpc() {
        let cases = [
            (Version::HTTP_2, "application/grpc", true),
            (Version::HTTP_2, "application/grpc+proto", true),
            (Version::HTTP_2, "application/grpc;charset=utf-8", true),
            (Version::HTTP_2, "application/grpc-web", false),
            (Version::HTTP_2, "application/grpcish", false),
            (Version::HTTP_2, "application/json", false),
            (Version::HTTP_11, "application/grpc", false),
        ];
        for (version, kind, want) in cases {
            let request = Request::builder()
                .version(version)
                .header(CONTENT_TYPE, kind);
            let request = request.body(()).expect("the parts are valid");
            assert_eq!(is_spoken(&request), want, "{version:?} {kind}");
        }
    }

    #[test]
    fn a_message_is_ascii_whatever_it_says() {
        assert_eq!(percent_encoded("100 % für\n"), "100 %25 f%C3%BCr%0A");
    }

    #[test]
    fn every_reason_is_a_failure() {
        for reason in Reason::ALL {
            assert!((1..=16).contains(&status(*reason)), "{reason:?}");
        }
    }
}
