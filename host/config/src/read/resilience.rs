//! Retries, breakers, bulkheads, deadlines, shedding: of upstreams, of routes, and `[overload]`.

use std::time::Duration;

use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{
    Breaker, Bulkhead, Overload, Priority, Retry, RetryBudget, RouteGuards, UpstreamGuards,
    UpstreamPlan,
};
use crate::spelling;

pub(super) fn upstream(fields: &Fields<'_>) -> UpstreamGuards {
    let usual = usual_retry(fields);
    UpstreamGuards {
        retry: retry(&fields.fields("retry", &keys::RETRY), &usual),
        budget: budget(&fields.fields("retry_budget", &keys::RETRY_BUDGET)),
        breaker: breaker(fields),
        bulkhead: bulkhead(fields),
    }
}

/// `upstream` is where the route forwards to, the first side of a split; None where nothing is forwarded, or where
/// that table has a mistake.
pub(super) fn route(fields: &Fields<'_>, upstream: Option<&UpstreamPlan>) -> RouteGuards {
    let forwards = ["upstream", "split"]
        .iter()
        .any(|key| fields.item(key).is_some());
    if fields.item("retry").is_some() && !forwards {
        let fault = Fault::new("`retry` has no effect on a route without `upstream`");
        let fault = fault.with_hint("take it out: nothing is forwarded here");
        fields.mistakes().fault(fields.span_of("retry"), fault);
    }
    let usual = upstream.map_or_else(|| usual_retry(fields), |u| u.guards.retry.clone());
    RouteGuards {
        retry: retry(&fields.fields("retry", &keys::ROUTE_RETRY), &usual),
        bulkhead: bulkhead(fields),
        deadline: fields.duration_if_given("deadline"),
        priority: match fields.choice("priority") {
            "low" => Priority::Low,
            "critical" => Priority::Critical,
            _ => Priority::Normal,
        },
    }
}

pub(super) fn overload(fields: &Fields<'_>) -> Overload {
    Overload {
        in_flight: fields.count_if_given("in_flight"),
        lag: fields.duration_if_given("lag"),
        memory: fields.size_if_given("memory"),
    }
}

/// The name in lower case.
pub(super) fn deadline_header(fields: &Fields<'_>) -> Option<String> {
    let word = fields.text("deadline_header")?;
    let name = word.text.to_ascii_lowercase();
    let meant_otherwise = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "grpc-timeout",
    ];
    let fault = if !spelling::is_token(word.text) {
        Fault::new(format!("`{}` cannot be the name of a header", word.text))
    } else if meant_otherwise.contains(&name.as_str()) {
        Fault::new(format!("`{}` has a meaning of its own", word.text))
    } else {
        return Some(name);
    };
    let fault = fault.with_hint("write deadline_header = \"x-timeout-ms\"");
    fields.mistakes().fault(word.span, fault);
    None
}

/// What an upstream has that says nothing.
fn usual_retry(fields: &Fields<'_>) -> Retry {
    let usual = Fields::absent(&keys::RETRY, fields.mistakes());
    Retry {
        tries: small(usual.count("tries")),
        on: Vec::new(),
        per_try: some(usual.duration("per_try")),
        hedge_after: some(usual.duration("hedge_after")),
        back_off: usual.duration("back_off"),
        max_back_off: usual.duration("max_back_off"),
        max_body: size(usual.size("max_body")),
    }
}

fn retry(fields: &Fields<'_>, usual: &Retry) -> Retry {
    let time = |key: &str, usual| fields.duration_if_given(key).map_or(usual, some);
    let retry = Retry {
        tries: fields.count_if_given("tries").map_or(usual.tries, small),
        on: fields
            .statuses_if_given("on")
            .unwrap_or_else(|| usual.on.clone()),
        per_try: time("per_try", usual.per_try),
        hedge_after: time("hedge_after", usual.hedge_after),
        back_off: fields.duration_or("back_off", usual.back_off),
        max_back_off: fields.duration_or("max_back_off", usual.max_back_off),
        max_body: size(fields.size_or("max_body", usual.max_body as u64)),
    };
    let written = ["max_back_off", "back_off"];
    let written = written.into_iter().find(|key| fields.item(key).is_some());
    if let Some(key) = written.filter(|_| retry.max_back_off < retry.back_off) {
        let fault = Fault::new("`max_back_off` is shorter than `back_off`");
        let fault = fault.with_hint("the pause grows from `back_off` to `max_back_off`");
        fields.mistakes().fault(fields.span_of(key), fault);
    }
    retry
}

fn budget(fields: &Fields<'_>) -> RetryBudget {
    RetryBudget {
        percent: fields.percent("share"),
        min_per_second: small(fields.count("min_per_second")),
    }
}

fn breaker(fields: &Fields<'_>) -> Option<Breaker> {
    fields.item("breaker")?;
    let fields = fields.fields("breaker", &keys::BREAKER);
    Some(Breaker {
        errors: fields.percent("errors"),
        window: fields.duration("window"),
        min_requests: small(fields.count("min_requests")),
        open_for: fields.duration("open_for"),
        probes: small(fields.count("probes")),
    })
}

fn bulkhead(fields: &Fields<'_>) -> Option<Bulkhead> {
    let queue = size(fields.count("queue"));
    let queue_timeout = fields.duration("queue_timeout");
    if fields.item("max_in_flight").is_none() {
        for key in ["queue", "queue_timeout"] {
            if fields.item(key).is_some() {
                let fault = Fault::new(format!("`{key}` has no effect without `max_in_flight`"));
                let fault =
                    fault.with_hint("nobody waits where there is no limit; add max_in_flight");
                fields.mistakes().fault(fields.span_of(key), fault);
            }
        }
        return None;
    }
    Some(Bulkhead {
        max_in_flight: size(fields.count_if_given("max_in_flight")?),
        queue,
        queue_timeout,
    })
}

/// `0s` says that there is none.
fn some(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| !time.is_zero())
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
