//! What is not TOML at all, in words for people who do not know its grammar.

use std::collections::BTreeSet;

use toml::de::Error;

use crate::diagnostic::{Diagnostic, Source, Span};

/// The parser recovers and goes on; of what it says about one line only the first is worth reading.
pub(super) fn diagnose(source: &Source, errors: &[Error]) -> Vec<Diagnostic> {
    let mut lines = BTreeSet::new();
    let mut diagnostics = Vec::new();
    let end = source.text.len();
    for error in errors {
        let span = error.span().unwrap_or(end..end);
        let found = source.text.get(span.clone()).unwrap_or_default().trim();
        // An empty span at the very beginning would mean the file as a whole.
        let span = Span {
            start: span.start,
            end: span.end.max(span.start + 1),
        };
        if lines.insert(source.line(span)) {
            diagnostics.push(diagnostic(span, found, error.message()));
        }
    }
    diagnostics
}

/// The parser's own words, and a remedy for what happens most.
fn diagnostic(span: Span, found: &str, message: &str) -> Diagnostic {
    let told = |message: &str| Diagnostic::new(span, format!("not TOML: {message}"));
    let quotes_missing = message.starts_with("string values must be quoted");
    if quotes_missing && found.is_empty() {
        told("a value is missing").with_hint("write it after the `=`")
    } else if quotes_missing {
        told("a string needs quotes").with_hint(format!("write \"{found}\""))
    } else if message.starts_with("duplicate key") {
        told(message).with_hint("it stands further up already; take one out")
    } else if message.starts_with("invalid basic string, expected `\"`") {
        told("the string does not end").with_hint("end it with `\"` on the same line")
    } else if message.starts_with("missing comma between array elements") {
        told("the list does not go on here")
            .with_hint("put `,` between two values and `]` at the end")
    } else {
        told(message)
    }
}
