//! Settings: as written in gateway.toml, and as the plugin uses them.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_sdk::prelude::*;
use portcullis_sdk::settings::{check_roles, is_token};

use crate::date;
use crate::keyring::{Hash, Key, Keyring, SHORTEST};

/// What gateway.toml says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The keys that pass.
    keys: Vec<KeySettings>,
    /// The header that carries the key; `x-api-key` by default. Removed before forwarding.
    #[serde(default = "x_api_key")]
    header: String,
    /// A scheme of `authorization` that may carry it too, such as "ApiKey": `authorization: ApiKey <key>`.
    scheme: Option<String>,
    /// Roles of every key.
    #[serde(default)]
    default_roles: Vec<String>,
}

/// A key, by its hash.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The caller's id. Two keys may have the same one only if `another` says so on the second.
    id: String,
    /// SHA-256 of the key in 64 hex digits; never the key.
    sha256: String,
    /// Its roles.
    #[serde(default)]
    roles: Vec<String>,
    /// What else is known of the caller.
    #[serde(default)]
    claims: BTreeMap<String, String>,
    /// When it ends: "2027-01-31", or "2027-01-31T12:00:00Z".
    expires: Option<String>,
    /// Says that this is another key of the same caller, while one takes the place of the other.
    #[serde(default)]
    another: bool,
}

/// What the plugin uses; nothing here is text that could still be wrong.
#[derive(Debug)]
pub struct Plan {
    /// The keys.
    pub keyring: Keyring,
    /// The header that carries one.
    pub header: String,
    /// The scheme of `authorization` that does, if any.
    pub scheme: Option<String>,
}

const LONGEST_ID: usize = 256;
const LONGEST_CLAIM: usize = 1024;

/// What `sha256sum` says of nothing, and of a line break alone: an empty variable in the command that makes hashes.
const OF_NOTHING: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

fn x_api_key() -> String {
    "x-api-key".to_owned()
}

// === impl Plan ===

impl Plan {
    /// Checks the settings; the error has a line for every mistake and never shows a hash, which may be a key.
    pub fn new(settings: Settings) -> Result<Plan, String> {
        let mut mistakes = Vec::new();
        if settings.keys.is_empty() {
            mistakes.push(
                "keys: give at least one, such as { id = \"ci\", sha256 = \"…\" }".to_owned(),
            );
        }
        if !is_token(&settings.header) {
            mistakes.push("header: this is no header name".to_owned());
        }
        if ["authorization", "cookie"].contains(&settings.header.to_ascii_lowercase().as_str()) {
            mistakes.push("header: this one carries more than a key; for authorization, write scheme = \"ApiKey\"".to_owned());
        }
        if settings
            .scheme
            .as_deref()
            .is_some_and(|scheme| !is_token(scheme))
        {
            mistakes.push("scheme: this is no scheme, such as \"ApiKey\"".to_owned());
        }
        check_roles("default_roles", &settings.default_roles, &mut mistakes);
        let keyring = keyring(settings.keys, &settings.default_roles, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        Ok(Plan {
            keyring,
            header: settings.header,
            scheme: settings.scheme,
        })
    }
}

fn keyring(
    keys: Vec<KeySettings>,
    default_roles: &[String],
    mistakes: &mut Vec<String>,
) -> Keyring {
    let mut keyring = Keyring::default();
    let mut ids = BTreeSet::new();
    for (i, settings) in keys.into_iter().enumerate() {
        let place = format!("keys[{i}]");
        if !ids.insert(settings.id.clone()) && !settings.another {
            let id = &settings.id;
            mistakes.push(format!(
                "{place}.id: {id:?} has a key already; write another = true if it has two"
            ));
        }
        let hash = settings.hash();
        let key = settings.key(&place, default_roles, mistakes);
        match hash {
            Ok(hash) if !keyring.add(hash, key) => {
                mistakes.push(format!("{place}.sha256: another key has the same hash"));
            }
            Ok(_) => {}
            Err(why) => mistakes.push(format!("{place}.sha256: {why}")),
        }
    }
    keyring
}

// === impl KeySettings ===

impl KeySettings {
    fn hash(&self) -> Result<Hash, String> {
        if OF_NOTHING.contains(&self.sha256.to_ascii_lowercase().as_str()) {
            return Err("this is the hash of an empty text".to_owned());
        }
        Hash::from_hex(&self.sha256).ok_or_else(|| {
            format!(
                "these are not 64 hex digits; give the hash, never the key: printf %s \"$key\" | sha256sum, \
                 with a random key of {SHORTEST} characters or more"
            )
        })
    }

    fn key(self, place: &str, default_roles: &[String], mistakes: &mut Vec<String>) -> Key {
        let is_line = |text: &str| !text.chars().any(char::is_control);
        if self.id.is_empty() || self.id.len() > LONGEST_ID || !is_line(&self.id) {
            mistakes.push(format!(
                "{place}.id: this is no id (one line, at most {LONGEST_ID} bytes)"
            ));
        }
        check_roles(&format!("{place}.roles"), &self.roles, mistakes);
        for (name, value) in &self.claims {
            if name.is_empty() || value.len() > LONGEST_CLAIM || !is_line(value) {
                mistakes.push(format!(
                    "{place}.claims.{name}: this is no claim (one line, at most {LONGEST_CLAIM} bytes)"
                ));
            }
        }
        let ends = self.expires.as_deref().map(date::seconds);
        if ends == Some(None) {
            mistakes.push(format!(
                "{place}.expires: this is no date; write \"2027-01-31\" or \"2027-01-31T12:00:00Z\""
            ));
        }
        let roles = default_roles.iter().chain(&self.roles);
        let mut caller = roles.fold(Caller::new(self.id), Caller::role);
        caller.claims = self.claims.into_iter().collect();
        Key {
            caller,
            ends: ends.flatten(),
        }
    }
}
