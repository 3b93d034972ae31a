//! `/generation`: what serves, since when, and what it follows that still drains.

use std::collections::BTreeMap;
use std::time::SystemTime;

use portcullis_proxy::Retired;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Problem, json};
use crate::call::Call;

#[derive(Serialize, JsonSchema)]
pub(super) struct GenerationPage {
    /// 1 is the first since the start.
    number: u64,
    /// Seconds since 1970.
    since: u64,
    /// SHA-256 of the text of gateway.toml.
    config: String,
    /// The digest of each plugin's component.
    plugins: BTreeMap<String, String>,
    /// Older generations that exchanges still use.
    draining: Vec<DrainingPage>,
    /// What stood in gateway.toml at the last reload was refused; the log says why.
    refused: bool,
}

#[derive(Serialize, JsonSchema)]
struct DrainingPage {
    number: u64,
    /// Seconds since 1970.
    retired: u64,
    /// What still holds it: exchanges, for the most part.
    leases: usize,
}

pub(super) async fn page(call: Call) -> Result<Answer, Problem> {
    let gate = call.gate()?;
    let generation = gate.lease();
    let plugins = generation.plugins.iter();
    let config = Sha256::digest(generation.plan.source.text.as_bytes());
    let draining = |retired: Retired| DrainingPage {
        number: retired.number,
        retired: seconds(retired.at),
        leases: retired.leases,
    };
    json(&GenerationPage {
        number: generation.number,
        since: seconds(gate.since()),
        config: hex::encode(config),
        plugins: plugins
            .map(|(name, plugin)| (name.to_string(), plugin.digest().to_string()))
            .collect(),
        draining: gate.retired().into_iter().map(draining).collect(),
        refused: call.gateway.status.is_config_refused(),
    })
}

fn seconds(time: SystemTime) -> u64 {
    let passed = time.duration_since(SystemTime::UNIX_EPOCH);
    passed.map_or(0, |passed| passed.as_secs())
}
