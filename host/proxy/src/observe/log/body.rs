//! Bodies in lines of the access log: only what can be redacted is written.

use serde_json::{Value, json};

use super::redact::Redaction;
use crate::observe::tap::{Form, Seen, Tap};

/// What a line says of a body; nothing of one whose secrets cannot be found.
pub(super) fn redacted(tap: &Tap, redaction: &Redaction) -> Value {
    tap.read(|form, seen, limit| value(form, seen, limit, redaction))
}

fn value(form: Form, seen: &Seen, limit: usize, redaction: &Redaction) -> Value {
    let untold = |why: String| json!({ "untold": why });
    if seen.more {
        return untold(match form {
            Form::Other => "neither JSON nor a form, or encoded".to_owned(),
            _ => format!("more than {limit} bytes"),
        });
    }
    if seen.bytes.is_empty() {
        return Value::Null;
    }
    match form {
        Form::Json => redaction.json(&seen.bytes),
        _ => std::str::from_utf8(&seen.bytes)
            .ok()
            .map(|form| redaction.query(form).into()),
    }
    .unwrap_or_else(|| untold("not what it says it is".to_owned()))
}
