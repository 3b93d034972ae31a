//! Handler of the tests: asks the upstreams that its settings name, all at once, and says what came of each.

use portcullis_sdk::prelude::*;
use portcullis_sdk::upstream::{Call, send_all};

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Upstream and path of each call.
    calls: Vec<(String, String)>,
}

/// The plugin.
#[derive(Debug)]
pub struct Relay {
    calls: Vec<(String, String)>,
}

#[portcullis_sdk::plugin]
impl Handler for Relay {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Relay {
            calls: settings.calls,
        })
    }

    fn body_limit(&self) -> u32 {
        1024
    }

    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault> {
        let sent = x
            .body()
            .map_err(|denied| Fault::failed(format!("{denied:?}")))?;
        let calls = self
            .calls
            .iter()
            .map(|(upstream, path)| Call::get(upstream.clone(), path.clone()));
        let mut lines = vec![format!("got {} bytes", sent.len())];
        for ((upstream, path), answer) in self.calls.iter().zip(send_all(calls)) {
            lines.push(match answer {
                Ok(answer) => format!(
                    "{upstream} {path}: {} with {} bytes",
                    answer.status,
                    answer.body.len()
                ),
                Err(error) => format!("{upstream} {path}: {error:?}"),
            });
        }
        Ok(Reply::text(200, lines.join("\n")))
    }
}
