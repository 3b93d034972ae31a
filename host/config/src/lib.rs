//! gateway.toml: from text to a typed plan.
//!
//! Owns what the file may say and every message about it. Knows nothing of plugins beyond their names: what
//! needs their components is checked by the host, which makes its [`Diagnostic`]s with the same renderer.

pub mod diagnostic;
pub mod plan;

mod fields;
mod json_schema;
mod keys;
mod mistakes;
mod path;
mod read;
mod redact;
mod reference;
mod settings;
mod shapes;
mod spelling;
mod typed;
mod units;

pub use diagnostic::{Diagnostic, Report, Source, Span};
pub use json_schema::{Outline, json_schema};
pub use plan::*;
pub use read::{parse, read, to_single};
pub use redact::redacted;
pub use reference::reference;

/// A duration as gateway.toml writes it: `"1m30s"`.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    units::duration(text).ok()
}
