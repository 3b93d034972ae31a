//! `limit`, `burst` and `algorithm`: how much in which time, and how that is counted.

use std::time::Duration;

use toml::Spanned;

use super::number;
use crate::diagnostic::Span;
use crate::fields::Fields;
use crate::mistakes::Fault;
use crate::plan::{Period, RulePlan};
use crate::units;

const AMOUNT: &str = "write \"100/10s\", or \"10000/day\" or \"100000/month\" for a quota";
/// Above this the gap between two requests is shorter than a clock can tell.
const FASTEST: u128 = 1_000_000;
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

// === rule ===

/// How much in which time.
enum Amount {
    Rate(u32, Duration),
    Quota(u32, Period),
}

pub(super) fn rule(fields: &Fields<'_>) -> Option<RulePlan> {
    let word = fields.required_text("limit")?;
    let burst = fields.count_if_given("burst").map(number);
    let algorithm = fields.choice_if_given("algorithm");
    let sliding = algorithm == Some("sliding_window");
    let rule = match fields.mistakes().note(word.span, amount(word.text))? {
        Amount::Rate(limit, per) if sliding => RulePlan::SlidingWindow { limit, per },
        Amount::Rate(limit, per) => RulePlan::Gcra {
            limit,
            per,
            burst: burst.unwrap_or(limit),
        },
        Amount::Quota(limit, period) => RulePlan::Quota { limit, period },
    };
    if matches!(rule, RulePlan::Quota { .. }) && algorithm.is_some() {
        let fault = Fault::new("a quota of the calendar has no `algorithm`");
        let hint = "take it out, or write a rate such as \"10000/24h\"";
        let place = fields.span_of("algorithm");
        fields.mistakes().fault(place, fault.with_hint(hint));
    }
    if burst.is_some() && !matches!(rule, RulePlan::Gcra { .. }) {
        only_gcra(fields, "burst");
    }
    Some(rule)
}

fn amount(text: &str) -> Result<Amount, Fault> {
    let wrong = || Fault::new(format!("`{text}` is not a limit")).with_hint(AMOUNT);
    let (count, time) = text.split_once('/').ok_or_else(wrong)?;
    let count = Some(count).filter(|count| count.bytes().all(|b| b.is_ascii_digit()));
    let count = count.and_then(|count| count.parse().ok());
    let count: u32 = count.filter(|count| *count > 0).ok_or_else(wrong)?;
    let period = match time {
        "day" => Period::Day,
        "month" => Period::Month,
        time => {
            // A forgotten unit has a better hint of its own.
            let forgotten = time.bytes().all(|b| b.is_ascii_digit());
            let per = units::duration(time);
            let per = per.map_err(|fault| if forgotten { fault } else { wrong() });
            return rate(text, count, per?);
        }
    };
    Ok(Amount::Quota(count, period))
}

fn rate(text: &str, count: u32, per: Duration) -> Result<Amount, Fault> {
    if per.is_zero() || per > LONGEST {
        let fault = Fault::new(format!("`{text}`: the time must be between 1ms and 31d"));
        return Err(fault.with_hint(AMOUNT));
    }
    if u128::from(count) * 1_000 > FASTEST * per.as_millis() {
        let fault = Fault::new(format!("`{text}` is more than 1000000 in a second"));
        return Err(fault.with_hint("a limit that high limits nothing; leave it out"));
    }
    Ok(Amount::Rate(count, per))
}

pub(super) fn only_gcra(fields: &Fields<'_>, key: &str) {
    let fault = Fault::new(format!("`{key}` goes with the algorithm `gcra` only"));
    let hint = format!("take `{key}` out, or write a rate with the algorithm `gcra`");
    let place = fields.item(key).map(Spanned::span);
    let place = place.map_or(fields.span(), Span::from);
    fields.mistakes().fault(place, fault.with_hint(hint));
}
