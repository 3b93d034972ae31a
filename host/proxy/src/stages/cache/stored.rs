//! A stored response, and the responses that are made of it. Bodies are shared, never copied.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG, EXPIRES,
    HeaderName, HeaderValue, LAST_MODIFIED, SET_COOKIE, VARY,
};
use http::{HeaderMap, Method, Response, StatusCode};

use super::conditions::{Conditions, Part};
use super::control::Says;
use super::key::{Place, Vary};
use super::life::Life;
use super::metrics::RouteCounters;
use crate::ground::fields;
use crate::stages::content::Content;

/// Everything of a response but its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// As the upstream sent them, without what belongs to the connection or may not be stored.
    pub(super) headers: HeaderMap,
    pub(super) vary: Vary,
    pub(super) life: Life,
    pub(super) place: Arc<Place>,
    pub(super) tags: Box<[Box<str>]>,
    /// The clock of invalidations when the upstream was asked.
    pub(super) epoch: u64,
    pub(super) counters: RouteCounters,
}

/// A complete response.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) head: Arc<Head>,
    pub(super) body: Bytes,
}

pub(super) const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
pub(super) const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// What a 304 says again (RFC 9110 section 15.4.5), and what tells caches further on.
const REPEATED: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LOCATION,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    VARY,
];

/// What a 304 does not change in the store: it describes the body, which stays (RFC 9111 section 3.2).
const OF_THE_BODY: [&str; 6] = [
    "content-length",
    "content-encoding",
    "content-range",
    "content-md5",
    "content-digest",
    "etag",
];

// === impl Head ===

impl Head {
    /// A validator that the upstream can be asked by.
    pub(super) fn has_validator(&self) -> bool {
        self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED)
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.headers
            .get(CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }

    /// The head of a response to the client, `Age` included when it comes from the store.
    pub(super) fn respond(&self, content: Content, now: Option<Instant>) -> Response<Content> {
        let mut response = Response::new(content);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        if let Some(now) = now {
            self.tell_age(response.headers_mut(), now);
        }
        response
    }

    fn tell_age(&self, headers: &mut HeaderMap, now: Instant) {
        headers.insert(AGE, HeaderValue::from(self.life.age(now).as_secs()));
    }

    /// A 304 for a client that has this response already.
    pub(super) fn not_modified(&self, now: Option<Instant>) -> Response<Content> {
        let mut response = Response::new(Content::Full(None));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for name in &REPEATED {
            for value in self.headers.get_all(name) {
                response.headers_mut().append(name, value.clone());
            }
        }
        if let Some(now) = now {
            self.tell_age(response.headers_mut(), now);
        }
        response
    }
}

// === impl Stored ===

impl Stored {
    /// The answer to a GET or HEAD with these conditions.
    pub(super) fn answer(&self, method: &Method, asked: &Conditions<'_>) -> Response<Content> {
        let (head, now) = (&*self.head, Some(Instant::now()));
        if asked.holds(head) {
            return head.not_modified(now);
        }
        if method == Method::HEAD {
            let mut response = head.respond(Content::Full(None), now);
            let length = HeaderValue::from(self.body.len());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            return response;
        }
        match asked.part(head, self.body.len()) {
            Part::Whole => head.respond(Content::full(self.body.clone()), now),
            Part::Range(range) => {
                let text = format!(
                    "bytes {}-{}/{}",
                    range.start,
                    range.end - 1,
                    self.body.len()
                );
                let body = self.body.slice(range);
                let mut response = head.respond(Content::Full(None), now);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let length = HeaderValue::from(body.len());
                response.headers_mut().insert(CONTENT_LENGTH, length);
                ranged(response.headers_mut(), &text);
                *response.body_mut() = Content::full(body);
                response
            }
            Part::Outside => {
                let mut response = head.not_modified(now);
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                ranged(
                    response.headers_mut(),
                    &format!("bytes */{}", self.body.len()),
                );
                response
            }
        }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        const FIXED: usize = 512;
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 48;
        let headers: usize = self.head.headers.iter().map(line).sum();
        let tags: usize = self.head.tags.iter().map(|tag| tag.len() + 16).sum();
        let place = self.head.place.host.len() + self.head.place.target.len();
        FIXED + self.body.len() + headers + tags + place + self.head.vary.weight()
    }
}

fn ranged(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(CONTENT_RANGE, value);
    }
}

/// Headers as they may be stored: without the withheld ones, with a Date (RFC 9110 section 6.6.1).
pub(super) fn storable(headers: &HeaderMap, says: &Says) -> HeaderMap {
    let mut kept = headers.clone();
    says.withheld
        .iter()
        .for_each(|name| drop(kept.remove(name)));
    kept.remove(AGE);
    kept.remove(SET_COOKIE);
    if !kept.contains_key(DATE)
        && let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now()))
    {
        kept.insert(DATE, now);
    }
    kept
}

/// The stored headers after a 304 (RFC 9111 section 3.2): each field that it has replaces the stored ones.
pub(super) fn freshened(stored: &HeaderMap, newer: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    for name in newer
        .keys()
        .filter(|name| !OF_THE_BODY.contains(&name.as_str()))
    {
        headers.remove(name);
        for value in newer.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// The tags that a response can be purged by: `Surrogate-Key` with spaces, `Cache-Tag` with commas.
pub(super) fn tags(headers: &HeaderMap) -> Box<[Box<str>]> {
    let spaced = headers.get_all(SURROGATE_KEY).iter();
    let words = spaced
        .filter_map(|v| v.to_str().ok())
        .flat_map(str::split_ascii_whitespace);
    let listed = fields::elements(headers, &CACHE_TAG);
    words.chain(listed).map(Into::into).collect()
}
