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

#[cfg(test)]
mod tests {
    use portcullis_config::plan::PerPlan;
    use sfv::{BareItem, List, ListEntry, Parser};

    use super::*;

    /// The name and the parameters of the one item that a field has.
    fn read(value: &HeaderValue) -> (String, Vec<(String, BareItem)>) {
        let list: List = Parser::new(value).parse().expect("a List of RFC 9651");
        let [ListEntry::Item(item)] = &list[..] else {
            panic!("{value:?} is not one item");
        };
        let name = item.bare_item.as_string().expect("a string");
        let parameters = item.params.iter();
        (
            name.as_str().to_owned(),
            parameters
                .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
                .collect(),
        )
    }

    fn plan(rule: RulePlan) -> LimitPlan {
        LimitPlan {
            name: "by-address".into(),
            per: PerPlan {
                parts: Vec::new(),
                ipv6_prefix: 64,
            },
            rule,
            throttle: Duration::ZERO,
            max_waiting: 1,
            max_keys: 1,
            dry_run: false,
            headers: true,
            fail_open: true,
        }
    }

    #[test]
    fn policies_and_readings_are_structured_fields() {
        let integer = |number: u32| BareItem::Integer(number.into());
        let per = Duration::from_secs(10);
        let cases: [(RulePlan, &[(&str, u32)]); 4] = [
            (
                RulePlan::SlidingWindow { limit: 100, per },
                &[("q", 100), ("w", 10)],
            ),
            (
                RulePlan::Gcra {
                    limit: 5,
                    per,
                    burst: 20,
                },
                &[("q", 5), ("w", 10), ("portcullis-burst", 20)],
            ),
            (
                RulePlan::Quota {
                    limit: 7,
                    period: Period::Day,
                },
                &[("q", 7), ("w", 86_400)],
            ),
            (
                RulePlan::Quota {
                    limit: 7,
                    period: Period::Month,
                },
                &[("q", 7)],
            ),
        ];
        for (rule, wanted) in cases {
            let (name, parameters) = read(&policy(&plan(rule)));
            let wanted = wanted
                .iter()
                .map(|(name, n)| ((*name).to_owned(), integer(*n)));
            assert_eq!(name, "by-address");
            assert_eq!(parameters, wanted.collect::<Vec<_>>());
        }
        let reading = Reading {
            policy: HeaderValue::from_static("\"by-address\";q=1"),
            name: "by-address".into(),
            remaining: 3,
            renewal: Some(4),
        };
        let (name, parameters) = read(&reading.limit());
        assert_eq!(name, "by-address");
        let wanted = [("r".to_owned(), integer(3)), ("t".to_owned(), integer(4))];
        assert_eq!(parameters, wanted);
    }
}
