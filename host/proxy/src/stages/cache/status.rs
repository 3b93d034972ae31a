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

#[cfg(test)]
mod tests {
    use sfv::{List, ListEntry, Parser};

    use super::*;

    #[test]
    fn whatever_we_add_is_a_structured_field() {
        let told = [
            Told::Hit(60),
            Told::DiskHit(-1),
            Told::OnError(-60),
            Told::Revalidated(0),
            Told::Collapsed,
            Told::Forwarded(Why::VaryMiss, true),
            Told::Forwarded(Why::Bypass, false),
        ];
        for told in told {
            let text = told.text();
            let list: List = Parser::new(&text).parse().expect("a List of RFC 9651");
            let [ListEntry::Item(item)] = &list[..] else {
                panic!("{text} is not one item");
            };
            let cache = item.bare_item.as_token().expect("a token");
            assert_eq!(cache.as_str(), "portcullis");
            let outcome = ["hit", "fwd"];
            assert_eq!(
                item.params
                    .keys()
                    .filter(|name| outcome.contains(&name.as_str()))
                    .count(),
                1,
                "{text}"
            );
        }
    }
}
