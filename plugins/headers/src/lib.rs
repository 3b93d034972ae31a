//! Filter: set, add and remove headers.

#![warn(missing_docs)]

mod rules;
pub mod template;

use portcullis_sdk::prelude::*;

use rules::{RuleSettings, Rules};

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// On the way to the upstream.
    #[serde(default)]
    request: RuleSettings,
    /// On the way to the client.
    #[serde(default)]
    response: RuleSettings,
}

/// The plugin.
#[derive(Debug, PartialEq, Eq)]
pub struct Headers {
    request: Rules,
    response: Rules,
}

#[portcullis_sdk::plugin]
impl Filter for Headers {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        let mut mistakes = Vec::new();
        let request = Rules::new("request", &settings.request, &mut mistakes);
        let response = Rules::new("response", &settings.response, &mut mistakes);
        if mistakes.is_empty() {
            Ok(Headers { request, response })
        } else {
            Err(mistakes.join("\n"))
        }
    }

    fn phases(&self) -> Phases {
        let skip = |rules: &Rules, phase| {
            if rules.is_empty() {
                phase
            } else {
                Phases::NONE
            }
        };
        let idle = skip(&self.request, Phases::REQUEST).and(skip(&self.response, Phases::RESPONSE));
        Self::PRESENT.without(idle)
    }

    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.request.apply(x).map(|()| Verdict::Next)
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        self.response.apply(x).map(|()| Verdict::Next)
    }
}
