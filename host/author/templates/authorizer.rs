//! Authorizer: callers with one of some roles may.

use portcullis_sdk::prelude::*;

/// What gateway.toml says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// One of these roles is enough.
    roles: Vec<String>,
}

/// The plugin.
pub struct Plugin {
    roles: Vec<String>,
}

#[portcullis_sdk::plugin]
impl Authorizer for Plugin {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        if settings.roles.is_empty() {
            return Err("roles: name at least one; without it nobody may".to_owned());
        }
        Ok(Plugin {
            roles: settings.roles,
        })
    }

    fn authorize(&self, _: &mut Exchange, caller: &Caller) -> Result<(), Fault> {
        if self.roles.iter().any(|role| caller.has_role(role)) {
            return Ok(());
        }
        // Which role would have been enough is for the log, not for the client.
        let because = format!(
            "none of the roles {} in {}",
            self.roles.join(", "),
            caller.roles.join(", ")
        );
        Err(Refusal::forbidden().because(because).into())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::Fake;

    use super::*;

    #[test]
    fn one_of_the_roles_is_enough() {
        let plugin = Plugin {
            roles: vec!["admin".to_owned(), "mod".to_owned()],
        };
        let may = |caller: &Caller| {
            plugin
                .authorize(&mut Fake::request("GET", "/").exchange(), caller)
                .is_ok()
        };
        assert!(may(&Caller::new("7").role("mod")));
        assert!(!may(&Caller::new("7").role("user")));
        assert!(!may(&Caller::new("7")));
    }
}
