//! What clients learn of limits: the fields of draft-ietf-httpapi-ratelimit-headers-11.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_config::plan::{ConcurrencyPlan, LimitPlan, Period, RulePlan};

use super::crowd::Slot;
use super::store::Verdict;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What the limits had to do with one exchange. Dropped with its last byte, and its places with it.
#[derive(Debug, Default)]
pub struct Limited {
    readings: Vec<Reading>,
    slots: Vec<Slot>,
}

/// A limit as a client is told of it.
#[derive(Debug)]
pub struct Reading {
    policy: HeaderValue,
    name: Arc<str>,
    remaining: u32,
    /// Seconds.
    renewal: Option<u64>,
}

// === impl Limited ===

impl Limited {
    pub(super) fn read(&mut self, reading: Reading) {
        self.readings.push(reading);
    }

    pub(super) fn hold(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    /// Places that are held for as long as the exchange goes on.
    pub(crate) fn holds_places(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Tells the client. A list may be split over lines (section 3 of the draft), so an upstream's own stay.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for reading in &self.readings {
            headers.append(RATELIMIT_POLICY, reading.policy.clone());
            headers.append(RATELIMIT, reading.limit());
        }
    }
}

// === impl Reading ===

impl Reading {
    pub(super) fn of_rate(plan: &LimitPlan, policy: &HeaderValue, verdict: &Verdict) -> Reading {
        let renewal = Some(verdict.renewal).filter(|renewal| !renewal.is_zero());
        Reading {
            policy: policy.clone(),
            name: plan.name.clone(),
            remaining: verdict.remaining,
            renewal: renewal.map(seconds),
        }
    }

    pub(super) fn of_room(plan: &ConcurrencyPlan, policy: &HeaderValue, left: u32) -> Reading {
        Reading {
            policy: policy.clone(),
            name: plan.name.clone(),
            remaining: left,
            renewal: None,
        }
    }

    fn limit(&self) -> HeaderValue {
        let mut text = format!("\"{}\";r={}", self.name, self.remaining);
        if let Some(renewal) = self.renewal {
            text.push_str(&format!(";t={renewal}"));
        }
        value(text)
    }
}

/// `"name";q=100;w=10`. A window that is no whole number of seconds, or a month, has no `w`.
pub(super) fn policy(plan: &LimitPlan) -> HeaderValue {
    let (limit, window) = match plan.rule {
        RulePlan::Gcra { limit, per, .. } | RulePlan::SlidingWindow { limit, per } => (limit, per),
        RulePlan::Quota { limit, period } => match period {
            Period::Day => (limit, Duration::from_secs(86_400)),
            Period::Month => (limit, Duration::ZERO),
        },
    };
    let mut text = format!("\"{}\";q={limit}", plan.name);
    if window.subsec_nanos() == 0 && !window.is_zero() {
        text.push_str(&format!(";w={}", window.as_secs()));
    }
    if let RulePlan::Gcra { limit, burst, .. } = plan.rule
        && burst != limit
    {
        text.push_str(&format!(";portcullis-burst={burst}"));
    }
    value(text)
}

pub(super) fn policy_of_room(plan: &ConcurrencyPlan) -> HeaderValue {
    value(format!(
        "\"{}\";q={};qu=\"concurrent-requests\"",
        plan.name, plan.limit
    ))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names and numbers are visible ASCII")
}

/// Rounded up: nobody is told to come too early.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
