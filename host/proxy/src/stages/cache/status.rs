//! Cache-Status (RFC 9211): what the cache did, for who looks at the response.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// From the store; seconds of freshness left.
    Hit(i64),
    /// The same, and it was on the disk.
    DiskHit(i64),
    /// Stale, because the upstream failed.
    OnError(i64),
    /// The upstream said 304; seconds of freshness now.
    Revalidated(i64),
    /// From the answer to another request.
    Collapsed,
    /// From the upstream, why, and whether it is stored.
    Forwarded(Why, bool),
}

/// Why the upstream was asked (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Request,
    Stale,
}

impl Why {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Why::Bypass => "bypass",
            Why::Method => "method",
            Why::UriMiss => "uri-miss",
            Why::VaryMiss => "vary-miss",
            Why::Request => "request",
            Why::Stale => "stale",
        }
    }
}

impl Told {
    fn text(self) -> String {
        match self {
            Told::Hit(ttl) => format!("portcullis; hit; ttl={ttl}"),
            Told::DiskHit(ttl) => format!("portcullis; hit; ttl={ttl}; detail=disk"),
            Told::OnError(ttl) => {
                format!("portcullis; fwd=stale; ttl={ttl}; detail=stale-if-error")
            }
            Told::Revalidated(ttl) => format!("portcullis; fwd=stale; fwd-status=304; ttl={ttl}"),
            Told::Collapsed => "portcullis; fwd=uri-miss; collapsed".into(),
            Told::Forwarded(why, true) => format!("portcullis; fwd={}; stored", why.as_str()),
            Told::Forwarded(why, false) => format!("portcullis; fwd={}", why.as_str()),
        }
    }
}

/// Adds our word after those of the caches before us (section 2).
pub(super) fn tell(headers: &mut HeaderMap, told: Told) {
    if let Ok(value) = HeaderValue::try_from(told.text()) {
        headers.append(CACHE_STATUS, value);
    }
}
