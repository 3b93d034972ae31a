//! W3C Trace Context: what an exchange and its steps are called in a trace, as headers say it.

use http::header::{HeaderName, HeaderValue};
use portcullis_runtime::Ids;

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The parent of whatever the receiver does (section 3.2).
pub(super) fn write(ids: Ids) -> HeaderValue {
    let flags = u8::from(ids.sampled);
    let text = format!("00-{:032x}-{:016x}-{flags:02x}", ids.trace, ids.span);
    HeaderValue::try_from(text).expect("digits and dashes")
}
