//! `/drain`: the gateway leaves its place in good order.

use std::time::Duration;

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log_level::duration;
use crate::answer::{Answer, AuditDetail, Problem, json};
use crate::call::Call;

/// If the request names none: a load balancer that checks every second or two has noticed by then.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Drain")]
pub(super) struct DrainRequest {
    /// How long connections are still accepted, so that load balancers see in time that it is not ready: `"5s"`, which
    /// is the default; `"10m"` at the most.
    grace: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DrainPage {
    /// `draining`
    state: &'static str,
    /// Until no more connections are accepted.
    accepts_for_seconds: f64,
    /// For how long exchanges may go on after that: `listen.drain`.
    then_finishes_within_seconds: f64,
}

pub(super) async fn run(call: Call) -> Result<Answer, Problem> {
    let wanted: DrainRequest = call.read_or_default()?;
    let grace = wanted.grace.as_deref();
    let grace = grace.map_or(Ok(GRACE), |text| duration("grace", text))?;
    let finishes = call.gate()?.lease().plan.listen.drain;
    let left = call.gateway.control.drain(grace);
    let mut answer = json(&DrainPage {
        state: "draining",
        accepts_for_seconds: left.as_secs_f64(),
        then_finishes_within_seconds: finishes.as_secs_f64(),
    })?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    let detail = AuditDetail(format!("connections are accepted for another {left:?}"));
    answer.extensions_mut().insert(detail);
    Ok(answer)
}
