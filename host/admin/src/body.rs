//! The body of a request: JSON, small and in time, or refused.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use crate::answer::Problem;

/// A URL and its braces.
const LARGEST: usize = 64 * 1024;
/// From the head to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Problem> {
    let kind = headers.get(CONTENT_TYPE);
    // A form, or text: what a page of another origin can send without being asked for permission (Fetch section 4.8).
    if let Some(kind) = kind
        && !is_json(kind.as_bytes())
    {
        return Err(not_json());
    }
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    let whole = match whole {
        Ok(Ok(whole)) => whole.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(error)) => return Err(Problem::unreadable(error.to_string()).closing()),
        Err(_) => {
            let text = format!("the body was not there within {PATIENCE:?}");
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", text);
            return Err(problem.closing());
        }
    };
    match kind {
        None if !whole.is_empty() => Err(not_json()),
        _ => Ok(whole),
    }
}

fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/json")
}

fn not_json() -> Problem {
    let text = "a body is JSON: send it with `Content-Type: application/json`";
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media",
        text,
    )
    .closing()
}

fn too_large() -> Problem {
    let text = format!("the body has more than {LARGEST} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", text).closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON ; charset=utf-8", true),
            ("text/plain", false),
            ("application/jsonp", false),
            ("text/plain; application/json", false),
            ("", false),
        ] {
            assert_eq!(is_json(kind.as_bytes()), json, "{kind}");
        }
    }
}
