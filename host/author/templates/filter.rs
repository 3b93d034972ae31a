//! Filter: tells the service who was asking, and does not tell the client what the service is.

use portcullis_sdk::prelude::*;

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The header that the service reads the caller's id from.
    header: String,
    /// Headers of the service that clients do not see.
    #[serde(default)]
    hide: Vec<String>,
}

/// The plugin.
pub struct Plugin {
    header: String,
    hide: Vec<String>,
}

#[portcullis_sdk::plugin]
impl Filter for Plugin {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Plugin {
            header: settings.header,
            hide: settings.hide,
        })
    }

    fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        // Also where there is no caller: what the client wrote there must not pass for the gateway's word.
        match x.caller_id() {
            Some(id) => x.set_header(&self.header, id)?,
            None => x.remove_header(&self.header)?,
        }
        Ok(Verdict::Next)
    }

    fn on_response(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
        for name in &self.hide {
            x.remove_header(name)?;
        }
        Ok(Verdict::Next)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::Fake;

    use super::*;

    #[test]
    fn the_service_learns_who_was_asking() {
        let plugin = Plugin {
            header: "x-user".to_owned(),
            hide: Vec::new(),
        };
        let fake = Fake::request("GET", "/")
            .with_header("x-user", "root")
            .with_attr("caller.id", "42");
        assert_eq!(plugin.on_request(&mut fake.exchange()), Ok(Verdict::Next));
        assert_eq!(fake.header_text("x-user").as_deref(), Some("42"));
    }
}
