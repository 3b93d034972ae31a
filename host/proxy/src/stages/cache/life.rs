//! How long a response is fresh, and what it is good for afterwards (RFC 9111 section 4.2, RFC 5861).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{AGE, DATE, EXPIRES, HeaderName, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};
use portcullis_config::plan::RouteCache;
use serde::{Deserialize, Serialize};

use super::control::{Says, Wish};
use crate::ground::clock::since_1970;
use crate::ground::fields;

/// The freshness of one stored response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// When the response came.
    at: Instant,
    /// How old it was then.
    age: Duration,
    fresh_for: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    /// `no-cache`: never used without asking.
    always_ask: bool,
    forbids_stale: bool,
    /// The upstream stated how long.
    pub(super) explicit: bool,
}

/// The same to be written down, by the clock on the wall.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedLife {
    /// When this was written, since 1970.
    at: Duration,
    /// How old the response was then.
    age: Duration,
    fresh_for: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    always_ask: bool,
    forbids_stale: bool,
    explicit: bool,
}

/// When the upstream was asked, and when it answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) asked: Instant,
    pub(super) answered: Instant,
    pub(super) clock: SystemTime,
}

/// Longer than anyone means, and far from overflow.
const LONGEST: u64 = 100 * 365 * 86_400;
/// RFC 9111 section 4.2.2: a tenth of how long it did not change, and we add: not longer than this, because nobody
/// said so.
const LONGEST_GUESS: Duration = Duration::from_secs(86_400);

impl Times {
    pub(super) fn since(asked: Instant) -> Times {
        Times {
            asked,
            answered: Instant::now(),
            clock: SystemTime::now(),
        }
    }
}

impl Life {
    /// `implied`: a freshness that the upstream did not state may be assumed.
    pub(super) fn of(
        response: (StatusCode, &HeaderMap),
        says: &Says,
        rules: &RouteCache,
        times: Times,
        implied: bool,
    ) -> Life {
        let (status, headers) = response;
        let stated = stated(says, headers, times);
        let assumed = || assumed(status, says, headers, rules);
        let age = initial_age(headers, times);
        Life {
            at: times.answered,
            age: age.unwrap_or_default(),
            fresh_for: match (age, stated) {
                // Nobody knows how old it is.
                (None, _) => Duration::ZERO,
                (_, Some(stated)) => stated,
                (_, None) if implied => assumed().unwrap_or_default(),
                (_, None) => Duration::ZERO,
            },
            stale_while_revalidate: says
                .stale_while_revalidate
                .map_or(rules.stale_while_revalidate, seconds),
            stale_if_error: says.stale_if_error.map_or(rules.stale_if_error, seconds),
            always_ask: says.no_cache,
            forbids_stale: says.forbids_stale(),
            explicit: stated.is_some(),
        }
    }

    /// RFC 9111 section 4.2.3.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.at)
    }

    /// Seconds of freshness left; less than none when stale (RFC 9211 section 2.4).
    pub(super) fn left(&self, now: Instant) -> i64 {
        let whole = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        whole(self.fresh_for) - whole(self.age(now))
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        !self.always_ask && self.age(now) < self.fresh_for
    }

    /// Whether the response may be used as it is, for a request with these wishes.
    pub(super) fn suits(&self, wish: &Wish, now: Instant) -> bool {
        if wish.no_cache || self.always_ask {
            return false;
        }
        let age = self.age(now);
        let young = wish.max_age.is_none_or(|most| age < seconds(most));
        let lasts = self.fresh_for > age + seconds(wish.min_fresh.unwrap_or(0));
        let bears = |most: u64| !self.forbids_stale && age < self.fresh_for + seconds(most);
        young && (lasts || (wish.min_fresh.is_none() && wish.max_stale.is_some_and(bears)))
    }

    pub(super) fn serves_while_revalidating(&self, now: Instant) -> bool {
        !self.forbids_stale && self.age(now) < self.fresh_for + self.stale_while_revalidate
    }

    pub(super) fn serves_on_error(&self, now: Instant) -> bool {
        !self.forbids_stale && self.age(now) < self.fresh_for + self.stale_if_error
    }

    /// Whether there is any use in storing it without a validator.
    pub(super) fn is_of_use(&self, now: Instant) -> bool {
        self.is_fresh(now) || self.serves_while_revalidating(now) || self.serves_on_error(now)
    }

    /// How much longer it is given without the upstream's word, while that can be reached or not.
    pub(super) fn left_to_serve(&self, now: Instant) -> Duration {
        let stale = self.stale_while_revalidate.max(self.stale_if_error);
        let good = if self.forbids_stale {
            self.fresh_for
        } else {
            self.fresh_for.saturating_add(stale)
        };
        if self.always_ask {
            Duration::ZERO
        } else {
            good.saturating_sub(self.age(now))
        }
    }

    pub(super) fn saved(&self) -> SavedLife {
        SavedLife {
            at: since_1970(),
            age: self.age(Instant::now()),
            fresh_for: self.fresh_for,
            stale_while_revalidate: self.stale_while_revalidate,
            stale_if_error: self.stale_if_error,
            always_ask: self.always_ask,
            forbids_stale: self.forbids_stale,
            explicit: self.explicit,
        }
    }

    /// As old as the clock on the wall says. Where that went back nobody knows, and it is stale.
    pub(super) fn restored(saved: &SavedLife) -> Life {
        let passed = since_1970().checked_sub(saved.at);
        let known = |time: Duration| passed.map_or(Duration::ZERO, |_| time);
        Life {
            at: Instant::now(),
            age: saved.age.saturating_add(passed.unwrap_or_default()),
            fresh_for: known(saved.fresh_for),
            stale_while_revalidate: known(saved.stale_while_revalidate),
            stale_if_error: known(saved.stale_if_error),
            always_ask: saved.always_ask,
            forbids_stale: saved.forbids_stale,
            explicit: saved.explicit,
        }
    }

    /// Whether each use needs the upstream's word.
    pub(super) fn asks_always(&self) -> bool {
        self.always_ask
    }
}

/// RFC 9111 section 4.2.1.
fn stated(says: &Says, headers: &HeaderMap, times: Times) -> Option<Duration> {
    if let Some(stated) = says.s_maxage.or(says.max_age) {
        return Some(seconds(stated));
    }
    if says.targeted || !headers.contains_key(EXPIRES) {
        return None;
    }
    let date = single_date(headers, &DATE).unwrap_or(times.clock);
    // An invalid date is in the past (section 5.3).
    let expires = single_date(headers, &EXPIRES).unwrap_or(UNIX_EPOCH);
    Some(
        expires
            .duration_since(date)
            .unwrap_or_default()
            .min(seconds(LONGEST)),
    )
}

/// What the route says, else what the headers hint at (section 4.2.2).
fn assumed(
    status: StatusCode,
    says: &Says,
    headers: &HeaderMap,
    rules: &RouteCache,
) -> Option<Duration> {
    let lasting = matches!(status.as_u16(), 404 | 405 | 410 | 414 | 501);
    let success = matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308);
    if lasting && rules.negative_ttl.is_some() {
        return rules.negative_ttl;
    }
    if success && rules.ttl.is_some() {
        return rules.ttl;
    }
    if !is_heuristic(status) && !says.public {
        return None;
    }
    let date = single_date(headers, &DATE).unwrap_or_else(SystemTime::now);
    let unchanged = date
        .duration_since(single_date(headers, &LAST_MODIFIED)?)
        .ok()?;
    Some((unchanged / 10).min(LONGEST_GUESS))
}

/// Statuses whose responses may be kept without anyone having said so (RFC 9110 section 15.1); 206 is not among
/// what we store.
pub(super) fn is_heuristic(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// RFC 9111 section 4.2.3: the corrected initial age. None: the response says an age that is none.
fn initial_age(headers: &HeaderMap, times: Times) -> Option<Duration> {
    let whole = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let apparent = single_date(headers, &DATE)
        .map_or(0, |date| whole(times.clock).saturating_sub(whole(date)));
    let delay = times.answered.saturating_duration_since(times.asked);
    Some(seconds(apparent).max(seconds(told_age(headers)?) + delay))
}

/// `Age` (section 5.1): of a list the first member counts.
fn told_age(headers: &HeaderMap) -> Option<u64> {
    let Some(value) = headers.get(AGE) else {
        return Some(0);
    };
    let first = fields::list_with_strings(value.to_str().ok()?).next()?;
    let digits = first.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| first.parse().unwrap_or(u64::MAX))
}

/// The date in a field that may be there once.
fn single_date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    let date = httpdate::parse_http_date(value).ok()?;
    values.next().is_none().then_some(date)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count.min(LONGEST))
}
