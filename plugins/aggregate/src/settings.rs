//! What gateway.toml says.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_sdk::prelude::*;
use shape::{Json, Size, Statuses};

/// One answer from several calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The calls by name. A call begins as soon as the answers that it names are there.
    pub(crate) calls: BTreeMap<String, CallSettings>,
    /// Members of the answer: name = "call" or "call#/json/pointer". Without it and without `template`: every call
    /// by its name.
    pub(crate) merge: Option<BTreeMap<String, String>>,
    /// The answer as a Jinja template that makes JSON, instead of `merge`.
    pub(crate) template: Option<String>,
    /// Status of the answer.
    #[serde(default = "ok")]
    pub(crate) status: u16,
    /// Headers of the answer; values have places.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// How an answer that lacks a part is marked.
    #[serde(default)]
    pub(crate) partial: PartialSettings,
    /// Largest sum of the upstreams' bodies, and largest answer.
    #[serde(default = "mebibyte")]
    pub(crate) max_total: Size,
    /// Largest request body; one is read only when `body` is used somewhere.
    #[serde(default = "mebibyte")]
    pub(crate) max_request: Size,
}

/// One call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallSettings {
    /// The upstream's name; the plugin needs a grant for it.
    pub(crate) upstream: String,
    /// GET, POST and so on.
    #[serde(default = "get")]
    pub(crate) method: String,
    /// Path, and query if there is a `?`, with places: "/users/{caller.id}". Values are percent-encoded.
    pub(crate) path: String,
    /// Headers with places; one that gives `none` is left out.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Headers of the client that go along. None does by itself.
    #[serde(default)]
    pub(crate) forward_headers: Vec<String>,
    /// A JSON body whose strings have places.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) body: Option<Json>,
    /// Longest wait; without it, what is left of the plugin's time.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub(crate) timeout: Option<Duration>,
    /// Largest body of the answer; without it, the gateway's cap.
    pub(crate) max_response: Option<Size>,
    /// Whether there is an answer for the client without this one.
    #[serde(default)]
    pub(crate) optional: bool,
    /// What an optional call answers when it fails; null without it.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) default: Option<Json>,
    /// Statuses that are an answer: 404, "2xx". All others are failures.
    #[serde(default = "Statuses::success")]
    pub(crate) accept: Statuses,
}

/// The mark of an answer that lacks a part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PartialSettings {
    /// A header: `mentions;reason=timeout`. Empty: none.
    pub(crate) header: String,
    /// A member of the JSON: `[{"part": "mentions", "reason": "timeout"}]`. Empty: none.
    pub(crate) member: String,
}

impl Default for PartialSettings {
    fn default() -> Self {
        PartialSettings {
            header: "x-portcullis-partial".to_owned(),
            member: "_partial".to_owned(),
        }
    }
}

fn ok() -> u16 {
    200
}

fn mebibyte() -> Size {
    Size(1 << 20)
}

fn get() -> String {
    "GET".to_owned()
}

fn duration<'de, D: portcullis_sdk::serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    settings::duration(deserializer).map(Some)
}
