//! Compression of answers: which of them, and what becomes of their heads. The bytes are the stream's.

mod accept;
mod stream;

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
};
use http::{HeaderMap, StatusCode, response};
use http_body::Body as _;
use portcullis_config::plan::{self, Encoding, TypePattern};
use portcullis_exchange::Exchange;
use prometheus::{IntCounterVec, IntGauge};

use self::stream::{Compressed, Encoder};
use super::{EdgeMetrics, vary};
use crate::ground::fields;
use crate::stages::content::Content;

/// What is compressed, and how.
#[derive(Debug)]
pub(super) struct Policy {
    plan: Arc<plan::Compress>,
    compressed: IntCounterVec,
    bytes: IntCounterVec,
    running: IntGauge,
}

/// What a client can read.
#[derive(Debug)]
pub(super) struct Offer {
    policy: Arc<Policy>,
    encoding: Option<Encoding>,
}

/// A place among those that are compressed at once.
#[derive(Debug)]
pub(super) struct Slot(IntGauge);

/// Fields that describe the bytes which are replaced (RFC 9110 section 8.6 and 14.3, RFC 9530).
const OF_THE_BYTES: [HeaderName; 2] = [CONTENT_LENGTH, ACCEPT_RANGES];
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

// === impl Policy ===

impl Policy {
    pub(super) fn new(plan: Arc<plan::Compress>, figures: &EdgeMetrics) -> Policy {
        Policy {
            plan,
            compressed: figures.compressed.clone(),
            bytes: figures.compression_bytes.clone(),
            running: figures.compressing.clone(),
        }
    }

    /// Whether an answer would be compressed for a client that can read it. `length` is that of all of it.
    fn wants(&self, parts: &response::Parts, length: Option<u64>) -> bool {
        let headers = &parts.headers;
        let whole = !matches!(
            parts.status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        );
        whole
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !must_not_change(headers)
            && self.has_type(headers)
            && length.is_none_or(|length| length >= self.plan.min_size.max(1))
    }

    fn has_type(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let essence = value.and_then(|value| value.split(';').next());
        let Some(essence) = essence.map(|essence| essence.trim().to_ascii_lowercase()) else {
            return false;
        };
        let flows = essence == "text/event-stream" || essence.starts_with("application/grpc");
        !flows && self.plan.types.iter().any(|known| fits(known, &essence))
    }

    fn slot(&self) -> Option<Slot> {
        let most = i64::try_from(self.plan.concurrent).unwrap_or(i64::MAX);
        // Two workers may both take the last place: the bound is one of memory, not an exact one.
        if self.running.get() >= most {
            self.compressed.with_label_values(&["busy"]).inc();
            return None;
        }
        self.running.inc();
        Some(Slot(self.running.clone()))
    }
}

fn fits(known: &TypePattern, essence: &str) -> bool {
    match known {
        TypePattern::Exact(exact) => essence == exact,
        TypePattern::Around(before, after) => {
            let rest = essence.strip_prefix(before.as_str());
            rest.is_some_and(|rest| rest.ends_with(after.as_str()))
        }
    }
}

/// RFC 9111 sections 5.2.1.6 and 5.2.2.6: `no-transform` of either side.
fn must_not_change(headers: &HeaderMap) -> bool {
    let mut directives = fields::elements(headers, &CACHE_CONTROL);
    directives.any(|directive| directive.eq_ignore_ascii_case("no-transform"))
}

/// The length that the head tells; of an answer to HEAD there is no other.
fn told_length(headers: &HeaderMap) -> Option<u64> {
    let told = headers.get(CONTENT_LENGTH)?;
    told.to_str().ok()?.parse().ok()
}

// === impl Offer ===

impl Offer {
    pub(super) fn of(policy: Arc<Policy>, x: &Exchange) -> Offer {
        let encoding = if must_not_change(&x.request) {
            None
        } else {
            accept::choose(&x.request, &policy.plan.encodings)
        };
        Offer { policy, encoding }
    }

    /// Compresses an answer if it should be and may be. `head`: its content was not asked for.
    pub(super) fn take(self, head: bool, parts: &mut response::Parts, content: Content) -> Content {
        let Offer { policy, encoding } = self;
        if parts.status == StatusCode::NOT_MODIFIED {
            // It is about an answer that was compressed, if this client can read that.
            vary::add(&mut parts.headers, &ACCEPT_ENCODING);
            if encoding.is_some() {
                weaken(&mut parts.headers);
            }
            return content;
        }
        let length = if head {
            told_length(&parts.headers)
        } else {
            content.size_hint().exact().or(told_length(&parts.headers))
        };
        if !policy.wants(parts, length) {
            return content;
        }
        vary::add(&mut parts.headers, &ACCEPT_ENCODING);
        let Some(encoding) = encoding else {
            return content;
        };
        let Some(slot) = policy.slot() else {
            return content;
        };
        let Ok(encoder) = Encoder::new(encoding, policy.plan.level) else {
            return content;
        };
        rewrite(&mut parts.headers, encoding);
        if head {
            return content;
        }
        policy.compressed.with_label_values(&[name(encoding)]).inc();
        let bytes = |side| policy.bytes.with_label_values(&[name(encoding), side]);
        let counters = (bytes("before"), bytes("after"));
        Content::of(Compressed::new(content, encoder, counters, slot))
    }
}

/// The head of an answer whose bytes are replaced by other ones that mean the same.
fn rewrite(headers: &mut HeaderMap, encoding: Encoding) {
    let coding = HeaderValue::from_static(name(encoding));
    headers.insert(CONTENT_ENCODING, coding);
    OF_THE_BYTES
        .iter()
        .for_each(|name| drop(headers.remove(name)));
    DIGESTS.iter().for_each(|name| drop(headers.remove(*name)));
    weaken(headers);
}

/// RFC 9110 section 8.8.3.3: a strong tag would promise the same bytes.
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gzip => "gzip",
        Encoding::Brotli => "br",
        Encoding::Zstd => "zstd",
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.dec();
    }
}
