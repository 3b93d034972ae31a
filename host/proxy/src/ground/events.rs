//! Event streams (server-sent events; HTML standard, section "Server-sent events"): answers that have no end. They are
//! bounded by silence, not by the time of an exchange, and nothing on their way may wait for the last byte.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::CONTENT_TYPE;

const EVENT_STREAM: &str = "text/event-stream";

/// Whether a response with these headers is one.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let name = kind.map(|kind| kind.split(';').next().unwrap_or_default());
    name.is_some_and(|name| name.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

/// A deadline that no stream lives to see.
pub(crate) fn never() -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    Instant::now() + CENTURY
}
