//! `/livez` and `/readyz`.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, Problem, TEXT, json, page};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct ReadyPage {
    /// `serving`
    state: &'static str,
}

pub(super) async fn live(_: Call) -> Result<Answer, Problem> {
    Ok(page(TEXT, "live\n"))
}

/// Says why not, in words that reveal nothing of the inside: the page needs no token.
pub(super) async fn ready(call: Call) -> Result<Answer, Problem> {
    call.gate()?;
    if call.gateway.control.is_draining() {
        let text = "the gateway drains: it was told to end, and takes no new traffic";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "draining", text));
    }
    json(&ReadyPage { state: "serving" })
}
