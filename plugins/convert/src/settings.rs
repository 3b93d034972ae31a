//! What gateway.toml says.

use portcullis_sdk::prelude::{JsonSchema, schemars};
use serde::Deserialize;

/// What to convert, and how large a body may be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How the request's body is converted on its way to the upstream; without it, it is not.
    pub(crate) request: Option<RuleSettings>,
    /// How the response's body is converted on its way to the client; without it, it is not.
    pub(crate) response: Option<RuleSettings>,
    /// Largest body in bytes, at most 4194304; a larger one is refused.
    #[serde(default = "max_bytes")]
    max_bytes: u32,
    /// How many lists and objects may be nested in each other, at most 64.
    #[serde(default = "max_depth")]
    max_depth: u32,
    /// How many values a body may hold, keys not counted.
    #[serde(default = "max_values")]
    max_values: u32,
}

/// One direction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSettings {
    /// What the body is.
    pub(crate) from: Source,
    /// What it becomes.
    pub(crate) to: Target,
    /// What happens to a body of clearly another content type: `refuse` or `pass`. By default a request is refused
    /// and a response passes.
    pub(crate) other: Option<Other>,
    /// The content types that count as `from`, in place of the usual ones.
    pub(crate) accept: Option<Vec<String>>,
    /// The content type of the new body, in place of the usual one.
    pub(crate) content_type: Option<String>,
    /// The name of the root element, with `to = "xml"`; by default `root`.
    pub(crate) root: Option<String>,
}

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// JSON (RFC 8259), UTF-8, without repeated keys.
    Json,
    /// A Python literal, as `repr` writes it and `ast.literal_eval` reads it.
    Python,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// MessagePack.
    Msgpack,
}

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// JSON (RFC 8259).
    Json,
    /// A Python literal, as CPython's `repr` writes it.
    Python,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// MessagePack.
    Msgpack,
    /// XML 1.0.
    Xml,
}

/// What happens to a body that is not of the source's content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Other {
    /// It passes as it is.
    Pass,
    /// It is refused: a request with 415, a response with 502.
    Refuse,
}

/// How much a body may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes before the conversion.
    pub bytes: u32,
    /// Nested lists and objects.
    pub depth: u32,
    /// Values, keys not counted.
    pub values: u32,
}

/// Each level is a few frames on a stack of 256 KiB.
const DEEPEST: u32 = 64;

/// The new body can be four times as large and must fit beside the old one into a guest's memory.
const LARGEST: u32 = 4 << 20;

fn max_bytes() -> u32 {
    1 << 20
}

fn max_depth() -> u32 {
    DEEPEST
}

fn max_values() -> u32 {
    100_000
}

// === impl Settings ===

impl Settings {
    pub(crate) fn limits(&self, mistakes: &mut Vec<String>) -> Limits {
        for (name, value, most) in [
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
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: max_bytes(),
            depth: max_depth(),
            values: max_values(),
        }
    }
}

impl Limits {
    /// Bytes after the conversion. XML and forms repeat names, so a small body can become a huge one; what
    /// escapes do to an honest one stays below this.
    pub fn output(&self) -> usize {
        self.bytes as usize * 4
    }
}

// === impl Source ===

impl Source {
    /// The name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Source::Json => "JSON",
            Source::Python => "a Python literal",
            Source::Form => "a form",
            Source::Msgpack => "MessagePack",
        }
    }

    /// The same format as a target.
    pub(crate) fn target(self) -> Target {
        match self {
            Source::Json => Target::Json,
            Source::Python => Target::Python,
            Source::Form => Target::Form,
            Source::Msgpack => Target::Msgpack,
        }
    }

    /// The media types that are this format.
    pub(crate) fn media_types(self) -> &'static [&'static str] {
        match self {
            Source::Json => &[
                "application/json",
                "text/json",
                "application/x-json",
                "text/x-json",
                "*+json",
            ],
            Source::Python => &["text/plain", "text/x-python", "application/x-python"],
            Source::Form => &["application/x-www-form-urlencoded"],
            Source::Msgpack => &[
                "application/msgpack",
                "application/vnd.msgpack",
                "application/x-msgpack",
                "*+msgpack",
            ],
        }
    }
}

// === impl Target ===

impl Target {
    /// The content type that is written.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Target::Json => "application/json",
            Target::Python => "text/plain; charset=utf-8",
            Target::Form => "application/x-www-form-urlencoded",
            Target::Msgpack => "application/vnd.msgpack",
            Target::Xml => "application/xml; charset=utf-8",
        }
    }
}
