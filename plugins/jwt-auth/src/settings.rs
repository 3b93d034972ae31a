//! Settings: as written in gateway.toml.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_sdk::prelude::*;
use serde::Deserializer;

use crate::algorithm::Algorithm;
use crate::jwk::Jwk;

/// What gateway.toml says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The algorithms that pass: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Keys that are known here.
    #[serde(default)]
    pub(crate) keys: Vec<KeySettings>,
    /// The key set of an upstream.
    pub(crate) jwks: Option<JwksSettings>,
    /// The issuer (`iss`) that passes, or a list; required with `jwks`.
    #[serde(default)]
    pub(crate) issuer: Words,
    /// Whom a token may be for (`aud`): a name or a list. Without it, only tokens that are for nobody in particular.
    #[serde(default)]
    pub(crate) audience: Words,
    /// The only `typ` that passes, such as "at+jwt".
    pub(crate) r#type: Option<String>,
    /// Claims that must be there beside `exp` and the id.
    #[serde(default)]
    pub(crate) require: Vec<String>,
    /// How far the clocks may be apart, at most `10m`; `60s` by default.
    #[serde(default = "a_minute", deserialize_with = "settings::duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    pub(crate) clock_skew: Duration,
    /// How old a token may be by its `iat`, whatever its `exp` says.
    #[serde(default, deserialize_with = "some_duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    pub(crate) max_age: Option<Duration>,
    /// The claim that is the caller's id.
    #[serde(default = "sub")]
    pub(crate) id: String,
    /// The claim with the roles: a list, or text with spaces. A name, or a JSON pointer such as "/realm_access/roles".
    #[serde(default = "roles")]
    pub(crate) roles: String,
    /// Roles of everyone.
    #[serde(default)]
    pub(crate) default_roles: Vec<String>,
    /// Claims that the caller keeps: a list of names, or a table of names and where they are in the token.
    #[serde(default)]
    pub(crate) claims: Claims,
    /// A cookie that may carry the token; removed before forwarding.
    pub(crate) cookie: Option<String>,
    /// A query parameter that may carry it; removed before forwarding.
    pub(crate) query: Option<String>,
    /// For browsers' WebSockets: with "bearer", the subprotocol `bearer.<token>` carries it; removed before forwarding.
    pub(crate) subprotocol: Option<String>,
    /// Whether the header `authorization` is forwarded.
    #[serde(default)]
    pub(crate) forward: bool,
}

/// A key: one of `secret`, `public_key` and `jwk`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The name that tokens call it by. Without it, every token of its kind is held against it.
    pub(crate) kid: Option<String>,
    /// The only algorithm that it serves.
    pub(crate) algorithm: Option<Algorithm>,
    /// A shared secret for HS256 (32 bytes or more), HS384 (48) or HS512 (64): the bytes of this text.
    pub(crate) secret: Option<String>,
    /// A public key as PEM.
    pub(crate) public_key: Option<String>,
    /// A key as JSON Web Key; `kty = "oct"` for a secret that is no text.
    pub(crate) jwk: Option<Jwk>,
}

/// The key set of an upstream.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwksSettings {
    /// The upstream's name.
    pub(crate) upstream: String,
    /// The path of the key set.
    #[serde(default = "well_known")]
    pub(crate) path: String,
    /// After this time the upstream is asked again; `10m` by default.
    #[serde(default = "ten_minutes", deserialize_with = "settings::duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    pub(crate) refresh: Duration,
    /// It is not asked more often than this, whatever tokens come; `10s` by default.
    #[serde(default = "ten_seconds", deserialize_with = "settings::duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    pub(crate) cooldown: Duration,
    /// How long the last answer counts while the upstream is away; `24h` by default.
    #[serde(default = "a_day", deserialize_with = "settings::duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    pub(crate) stale: Duration,
    /// The store that holds the answer.
    #[serde(default = "jwks")]
    pub(crate) store: String,
}

/// One text or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
pub enum Words {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Which claims the caller keeps.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a list of claims, or a table: name = \"/where/it/is\""
)]
pub enum Claims {
    /// By the names that they have.
    Names(Vec<String>),
    /// By other names.
    Places(BTreeMap<String, String>),
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

fn a_day() -> Duration {
    Duration::from_secs(86_400)
}

fn sub() -> String {
    "sub".to_owned()
}

fn roles() -> String {
    "roles".to_owned()
}

fn jwks() -> String {
    "jwks".to_owned()
}

fn well_known() -> String {
    "/.well-known/jwks.json".to_owned()
}

fn some_duration<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Duration>, D::Error> {
    settings::duration(source).map(Some)
}

// === impl Words, Claims ===

impl Words {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Words::One(word) => vec![word],
            Words::Several(words) => words,
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Words::Several(Vec::new())
    }
}

impl Claims {
    /// Name and place.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        match self {
            Claims::Names(names) => names.into_iter().map(|name| (name.clone(), name)).collect(),
            Claims::Places(places) => places.into_iter().collect(),
        }
    }
}

impl Default for Claims {
    fn default() -> Self {
        Claims::Names(Vec::new())
    }
}
