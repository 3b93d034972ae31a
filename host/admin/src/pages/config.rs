//! `/config`: gateway.toml as it serves, without what is secret.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct ConfigPage {
    /// The file, as the gateway was told it.
    file: String,
    /// By the names of gateway.toml. Secrets, settings of plugins, texts for clients and values of conditions stand as
    /// `***`; of a secret from elsewhere it says where from.
    config: Value,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let source = &call.gate()?.lease().plan.source;
    let env = |name: &str| std::env::var(name).ok();
    json(&ConfigPage {
        file: source.name.clone(),
        config: portcullis_config::redacted(&source.text, &env),
    })
}
