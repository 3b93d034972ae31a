//! Quotas: at most so much in each day or month of the calendar, in UTC.

use std::time::Duration;

use portcullis_config::plan::Period;
use time::{Date, Month, OffsetDateTime};

use super::{Rule, Tick};
use crate::stages::limits::store::{Decision, Verdict};

const DAY_MS: u64 = 86_400_000;

#[derive(Debug, Clone, Copy)]
pub struct Quota {
    limit: u32,
    period: Period,
}

/// What was used in one period.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    period: u32,
    used: u32,
}

impl Quota {
    pub fn new(limit: u32, period: Period) -> Quota {
        Quota { limit, period }
    }

    /// The number of the period that holds `unix_ms`, never 0, and when it ends.
    fn period(&self, unix_ms: u64) -> (u32, u64) {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let days = unix_ms / DAY_MS;
        match self.period {
            Period::Day => (number(days + 1), (days + 1) * DAY_MS),
            Period::Month => {
                let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
                let now = OffsetDateTime::from_unix_timestamp(seconds);
                // Only a clock past the year 9999 has no date.
                let now = now.map_or(Date::MAX, OffsetDateTime::date);
                let year = u64::try_from(now.year()).unwrap_or_default();
                let month = u64::from(u8::from(now.month()));
                (number(year * 12 + month), first_of_next(now))
            }
        }
    }
}

/// When the next month begins, in milliseconds since 1970.
fn first_of_next(now: Date) -> u64 {
    let year = now.year() + i32::from(now.month() == Month::December);
    let first = Date::from_calendar_date(year, now.month().next(), 1).unwrap_or(Date::MAX);
    let seconds = first.midnight().assume_utc().unix_timestamp();
    u64::try_from(seconds).unwrap_or_default() * 1_000
}

impl Rule for Quota {
    type State = Used;

    fn take(&self, state: &mut Used, ask: Tick) -> Verdict {
        let (period, end) = self.period(ask.unix_ms);
        // A clock that is set back does not begin a period anew.
        if state.period < period {
            *state = Used { period, used: 0 };
        }
        let left = Duration::from_millis(end.saturating_sub(ask.unix_ms));
        let after = state.used.saturating_add(ask.cost);
        let decision = if after <= self.limit {
            state.used = after;
            Decision::Taken(Duration::ZERO)
        } else {
            Decision::Refused(left)
        };
        Verdict {
            decision,
            remaining: self.limit.saturating_sub(state.used),
            renewal: if state.used > 0 { left } else { Duration::ZERO },
        }
    }

    fn debt(&self, state: &Used, now: Tick) -> u64 {
        if state.period < self.period(now.unix_ms).0 {
            0
        } else {
            u64::from(state.used)
        }
    }

    fn is_spent(&self, state: &Used, now: Tick) -> bool {
        self.debt(state, now) >= u64::from(self.limit)
    }
}
