//! What gateway.toml says.

use std::collections::BTreeMap;

use portcullis_sdk::prelude::{JsonSchema, schemars};
use serde::Deserialize;
use serde_json::Value;

use crate::openapi::Api;
use crate::rules::{self, Limits, Rules, StatusRange};
use crate::schema::{Compiler, document};
use crate::{Source, Validate, param};

/// What requests and responses must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What requests must be. With `openapi` it only sets the mode and may be left out.
    request: Option<RequestSettings>,
    /// What responses must be; without it they are not checked, with `openapi` either.
    response: Option<ResponseSettings>,
    /// An OpenAPI 3.1 document, as a table or as JSON text, that says it all.
    openapi: Option<Value>,
    /// What stands before the paths of the document: `/api/v1`.
    #[serde(default)]
    base_path: String,
    /// What happens to a request for which the document has no operation: `refuse` (404) or `pass`.
    #[serde(default)]
    unknown: Unknown,
    /// Whether `format` is checked and not only a remark.
    #[serde(default = "yes")]
    formats: bool,
    /// How many errors are told at once.
    #[serde(default = "max_errors")]
    max_errors: u32,
    /// Largest body in bytes; a larger one is refused.
    #[serde(default = "max_bytes")]
    max_bytes: u32,
    /// How many lists and objects may be nested in each other, at most 64.
    #[serde(default = "max_depth")]
    max_depth: u32,
    /// How many values a body may hold, keys not counted.
    #[serde(default = "max_values")]
    max_values: u32,
}

/// What requests must be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RequestSettings {
    /// `enforce` refuses what does not fit, `report` logs it and lets it pass.
    mode: Option<Mode>,
    /// The schema of the body, as a table or as JSON text.
    body: Option<Value>,
    /// Whether there must be a body.
    #[serde(default)]
    body_required: bool,
    /// The content types that are allowed: `application/json`, `*+json`, `image/*`.
    content_types: Option<Vec<String>>,
    /// Headers by name.
    #[serde(default)]
    headers: BTreeMap<String, ParamSettings>,
    /// Query parameters by name.
    #[serde(default)]
    query: BTreeMap<String, ParamSettings>,
}

/// What responses must be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResponseSettings {
    /// `report` logs what does not fit and lets it pass, `enforce` answers 502 in its place.
    mode: Option<Mode>,
    /// The statuses that are checked: `200`, `2XX`.
    status: Option<Vec<String>>,
    /// The schema of the body, as a table or as JSON text.
    body: Option<Value>,
    /// Whether there must be a body.
    #[serde(default)]
    body_required: bool,
    /// The content types that are allowed: `application/json`, `*+json`, `image/*`.
    content_types: Option<Vec<String>>,
    /// Headers by name.
    #[serde(default)]
    headers: BTreeMap<String, ParamSettings>,
}

/// A header or a query parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamSettings {
    /// Whether it must be there.
    #[serde(default)]
    pub(crate) required: bool,
    /// The schema of its value: `{ type = "integer", minimum = 1 }`. Without it any text.
    pub(crate) schema: Option<Value>,
}

/// What happens to a message that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is logged and passes.
    Report,
}

/// What happens to a request that the document does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// It is refused with 404.
    #[default]
    Refuse,
    /// It passes.
    Pass,
}

/// Each level is a few frames on a stack of 256 KiB.
const DEEPEST: u32 = 64;

/// Of a fresh answer to a client; more helps nobody.
const MOST_ERRORS: u32 = 1000;

/// Beside the text in a guest's memory; the gateway's own cap is lower unless it was raised.
const LARGEST: u32 = 16 << 20;

fn yes() -> bool {
    true
}

fn max_errors() -> u32 {
    20
}

fn max_bytes() -> u32 {
    1 << 20
}

fn max_depth() -> u32 {
    DEEPEST
}

/// A value costs up to 500 bytes (an object with one member), of 16 MiB.
fn max_values() -> u32 {
    20_000
}

// === impl Settings ===

impl Settings {
    /// The plugin, or what is wrong: every mistake with its place.
    pub(crate) fn plugin(self, mistakes: &mut Vec<String>) -> Option<Validate> {
        let limits = self.limits(mistakes);
        if self.openapi.is_some() {
            return self.of_document(limits, mistakes);
        }
        if !self.base_path.is_empty() {
            mistakes
                .push("base_path: it stands before the paths of `openapi`; remove it".to_owned());
        }
        if self.request.is_none() && self.response.is_none() {
            mistakes
                .push("there is nothing to check; write request, response or openapi".to_owned());
        }
        let compiler = Compiler::new(self.formats);
        let request_mode = self.request.as_ref().map(RequestSettings::mode);
        let response_mode = self.response.as_ref().map(ResponseSettings::mode);
        let request = self.request.unwrap_or_default();
        let response = self.response.unwrap_or_default();
        let statuses = response.status.clone();
        let statuses = statuses.unwrap_or_else(|| vec!["2XX".to_owned()]);
        let statuses = statuses.iter().enumerate().filter_map(|(i, text)| {
            StatusRange::parse(text)
                .map_err(|why| mistakes.push(format!("response.status[{i}]: {why}")))
                .ok()
        });
        let statuses = statuses.collect();
        Some(Validate {
            source: Source::Own {
                request: request.rules(&compiler, mistakes),
                response: response.rules(&compiler, mistakes),
                statuses,
            },
            request: request_mode,
            response: response_mode,
            unknown: self.unknown,
            limits,
        })
    }

    fn of_document(self, limits: Limits, mistakes: &mut Vec<String>) -> Option<Validate> {
        let (request, response) = (self.request.as_ref(), self.response.as_ref());
        let more_than_mode = [
            ("request", request.is_some_and(|r| !r.only_mode())),
            ("response", response.is_some_and(|r| !r.only_mode())),
        ];
        for (name, _) in more_than_mode.iter().filter(|(_, more)| *more) {
            mistakes.push(format!(
                "{name}: beside openapi only mode can be set; the document says the rest"
            ));
        }
        if !self.base_path.is_empty()
            && (!self.base_path.starts_with('/') || self.base_path.ends_with('/'))
        {
            mistakes
                .push("base_path: it starts with a slash and ends without: \"/api/v1\"".to_owned());
        }
        let document = document(&self.openapi.unwrap_or_default())
            .map_err(|why| mistakes.push(format!("openapi: {why}")))
            .ok()?;
        Some(Validate {
            source: Source::Document(Api::new(&document, self.base_path, self.formats, mistakes)?),
            request: Some(request.map_or(Mode::Enforce, RequestSettings::mode)),
            response: response.map(ResponseSettings::mode),
            unknown: self.unknown,
            limits,
        })
    }

    fn limits(&self, mistakes: &mut Vec<String>) -> Limits {
        for (name, value, most) in [
            ("max_errors", self.max_errors, MOST_ERRORS),
            ("max_bytes", self.max_bytes, LARGEST),
            ("max_depth", self.max_depth, DEEPEST),
            ("max_values", self.max_values, u32::MAX),
        ] {
            if value == 0 || value > most {
                mistakes.push(format!("{name}: {value} is not between 1 and {most}"));
            }
        }
        Limits {
            bytes: self.max_bytes,
            depth: self.max_depth,
            values: self.max_values,
            errors: self.max_errors as usize,
        }
    }
}

// === impl RequestSettings, ResponseSettings ===

impl RequestSettings {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Enforce)
    }

    fn only_mode(&self) -> bool {
        let content = self.body.is_none() && self.content_types.is_none() && !self.body_required;
        content && self.headers.is_empty() && self.query.is_empty()
    }

    fn rules(&self, compiler: &Compiler, mistakes: &mut Vec<String>) -> Rules {
        let mut rules = Rules::default();
        let (types, body) = (self.content_types.as_deref(), self.body.as_ref());
        rules.content = rules::content("request", types, body, compiler, mistakes);
        rules.body_required = self.body_required;
        rules.params = param::headers("request.headers", &self.headers, compiler, mistakes);
        rules.params.extend(param::query(
            "request.query",
            &self.query,
            compiler,
            mistakes,
        ));
        rules
    }
}

impl ResponseSettings {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Report)
    }

    fn only_mode(&self) -> bool {
        let content = self.body.is_none() && self.content_types.is_none() && !self.body_required;
        content && self.headers.is_empty() && self.status.is_none()
    }

    fn rules(&self, compiler: &Compiler, mistakes: &mut Vec<String>) -> Rules {
        let mut rules = Rules::default();
        let (types, body) = (self.content_types.as_deref(), self.body.as_ref());
        rules.content = rules::content("response", types, body, compiler, mistakes);
        rules.body_required = self.body_required;
        rules.params = param::headers("response.headers", &self.headers, compiler, mistakes);
        rules
    }
}
