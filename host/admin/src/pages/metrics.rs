//! `/metrics`

use portcullis_proxy::scrape;

use crate::answer::{Answer, Problem, page as answer};
use crate::call::Call;

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    Ok(answer(PROMETHEUS, scrape(call.gate()?)))
}
