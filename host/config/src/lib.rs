//! gateway.toml: from text to a typed plan.

pub mod diagnostic;
pub mod plan;

pub use diagnostic::{Diagnostic, Report, Source, Span};
pub use plan::*;
