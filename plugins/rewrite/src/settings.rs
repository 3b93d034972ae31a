//! What gateway.toml says.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::*;
use shape::{Json, Size, Statuses};

/// What happens to the request and to the response.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The request on its way in.
    #[serde(default)]
    pub(crate) request: RequestSettings,
    /// The response on its way out.
    #[serde(default)]
    pub(crate) response: ResponseSettings,
    /// Largest body that is read, where one has to be.
    #[serde(default = "mebibyte")]
    pub(crate) max_body: Size,
}

/// The request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestSettings {
    /// Another method; has places.
    pub(crate) method: Option<String>,
    /// Another path, "/v2/users/{params.id}"; values are percent-encoded. With a `?` it is the query too.
    pub(crate) path: Option<String>,
    /// Parameters of the query; values have places.
    #[serde(default)]
    pub(crate) query: FieldSettings,
    /// Headers; values have places.
    #[serde(default)]
    pub(crate) headers: FieldSettings,
    /// The body, if it is JSON.
    #[serde(default)]
    pub(crate) body: BodySettings,
}

/// The response.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseSettings {
    /// Statuses of the responses that are meant: 404, "2xx". Without it, all.
    pub(crate) only: Option<Statuses>,
    /// Another status: 204, or text with places.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) status: Option<Json>,
    /// Headers; values have places.
    #[serde(default)]
    pub(crate) headers: FieldSettings,
    /// The body, if it is JSON.
    #[serde(default)]
    pub(crate) body: BodySettings,
    /// What happens to a body that clearly is no JSON, where there are rules for JSON: `refuse` or `pass`. By default it
    /// is refused with a 2xx, and passes with any other status.
    pub(crate) other: Option<Other>,
}

/// What happens to a response of another content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Other {
    /// It passes as it is.
    Pass,
    /// It is refused with 502.
    Refuse,
}

/// Headers, or parameters of the query. In this order: remove, rename, default, set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldSettings {
    /// Names.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
    /// Old name to new name.
    #[serde(default)]
    pub(crate) rename: BTreeMap<String, String>,
    /// Name to value, where there is none of this name.
    #[serde(default)]
    pub(crate) default: BTreeMap<String, String>,
    /// Name to value, the only one of this name; `none` removes it.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
}

/// A JSON body, by JSON Pointers (RFC 6901) in this order: remove, rename, move, default, set; or by a template.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodySettings {
    /// Pointers.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
    /// Pointer to the new name of the member, in its place: "/user/userName" = "name".
    #[serde(default)]
    pub(crate) rename: BTreeMap<String, String>,
    /// Pointer to pointer: "/user/name" = "/name".
    #[serde(default, rename = "move")]
    pub(crate) moves: BTreeMap<String, String>,
    /// Pointer to a value, where there is none. Its strings have places.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(crate) default: BTreeMap<String, Json>,
    /// Pointer to a value. Its strings have places.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(crate) set: BTreeMap<String, Json>,
    /// The whole body anew, as a Jinja template.
    pub(crate) template: Option<String>,
    /// What the template makes; "application/json" without it.
    pub(crate) content_type: Option<String>,
}

fn mebibyte() -> Size {
    Size(1 << 20)
}
