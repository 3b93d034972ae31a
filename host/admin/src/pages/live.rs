//! `/live`: totals of each route, of which the console takes differences.

use portcullis_proxy::Live;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct LivePage {
    /// Which serves.
    generation: u64,
    #[serde(flatten)]
    totals: Live,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let gate = call.gate()?;
    json(&LivePage {
        generation: gate.lease().number,
        totals: gate.metrics.live(),
    })
}
