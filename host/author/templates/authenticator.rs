//! Authenticator: callers known by a key in a header.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The header that holds the key.
    #[serde(default = "header")]
    header: String,
    /// The id of each caller and the key that proves it.
    callers: BTreeMap<String, String>,
}

fn header() -> String {
    "x-api-key".to_owned()
}

/// The plugin.
pub struct Plugin {
    header: String,
    callers: BTreeMap<String, String>,
}

#[portcullis_sdk::plugin]
impl Authenticator for Plugin {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        if settings.callers.values().any(String::is_empty) {
            return Err("callers: a key must not be empty".to_owned());
        }
        Ok(Plugin {
            header: settings.header,
            callers: settings.callers,
        })
    }

    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        let Some(sent) = x.header_bytes(&self.header) else {
            return Err(Refusal::unauthenticated()
                .header("www-authenticate", "ApiKey")
                .into());
        };
        let known = self
            .callers
            .iter()
            .find(|(_, key)| same(key.as_bytes(), &sent));
        let Some((id, _)) = known else {
            return Err(Refusal::unauthenticated()
                .because("the key is nobody's")
                .into());
        };
        // The credential ends here: the service behind the gateway has no use for it.
        x.remove_header(&self.header)?;
        Ok(Caller::new(id).role("user"))
    }
}

/// Compares in a time that does not tell how much of a guess was right.
fn same(key: &[u8], sent: &[u8]) -> bool {
    key.len() == sent.len()
        && key
            .iter()
            .zip(sent)
            .fold(0, |differing, (a, b)| differing | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::Fake;

    use super::*;

    fn plugin() -> Plugin {
        let settings = settings::parse(r#"{ "callers": { "shop": "s3cret" } }"#)
            .expect("the test's settings are valid");
        Plugin::configure(settings).expect("the test's settings are accepted")
    }

    #[test]
    fn a_key_says_who_is_asking() {
        let fake = Fake::request("GET", "/").with_header("x-api-key", "s3cret");
        let caller = plugin().authenticate(&mut fake.exchange());
        assert_eq!(caller, Ok(Caller::new("shop").role("user")));
        assert_eq!(fake.header_text("x-api-key"), None);
    }

    #[test]
    fn another_key_is_nobodys() {
        let fake = Fake::request("GET", "/").with_header("x-api-key", "s3cres");
        assert!(plugin().authenticate(&mut fake.exchange()).is_err());
    }
}
