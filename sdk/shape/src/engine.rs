//! The template engine, bounded: what one expression may cost, what its filters are, how values are written.

use std::sync::LazyLock;

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};

use crate::Trouble;
use crate::target::encode;
use crate::value::{Encoded, to_json, to_text};

/// Instructions of one rendering; also about 32 MiB of memory, which the sandbox cuts off earlier.
const FUEL: u64 = 500_000;

/// Loops in loops, calls in calls.
const DEEPEST: usize = 64;

/// The name of a page that is JSON. What it prints is written as JSON.
pub(crate) const JSON_PAGE: &str = "json";

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

/// One for all expressions; a page clones it.
pub(crate) fn shared() -> &'static Environment<'static> {
    &ENGINE
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEEPEST);
    engine.set_auto_escape_callback(|name| match name {
        JSON_PAGE => AutoEscape::Custom(JSON_PAGE.into()),
        _ => AutoEscape::None,
    });
    engine.set_formatter(print);
    engine.add_filter("tojson", |value: Value| {
        to_json(&value)
            .map(|json| Value::from_safe_string(json.to_string()))
            .map_err(error)
    });
    engine.add_filter("path", |value: Value| {
        to_text(&value)
            .map(|text| text.split('/').map(encode).collect::<Vec<_>>().join("/"))
            .map(|text| Value::from_object(Encoded(text)))
            .map_err(error)
    });
    engine.add_filter("raw", |value: Value| {
        to_text(&value)
            .map(|text| Value::from_object(Encoded(text)))
            .map_err(error)
    });
    engine
}

/// What `{{ … }}` of a page writes: in JSON a whole JSON value, so that no text of a client can leave its string.
fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Ok(()); // `{{ a if b }}` without else; any other was an error before it came here
    }
    let text = if value.is_safe() {
        value.to_string()
    } else if matches!(state.auto_escape(), AutoEscape::Custom(name) if name == JSON_PAGE) {
        to_json(value).map_err(error)?.to_string()
    } else {
        to_text(value).map_err(error)?
    };
    out.write_str(&text)
        .map_err(|_| Error::from(ErrorKind::WriteFailure))
}

fn error(trouble: Trouble) -> Error {
    let kind = match trouble {
        Trouble::Missing(_) => ErrorKind::UndefinedError,
        Trouble::Unfit(_) | Trouble::Broken(_) => ErrorKind::InvalidOperation,
    };
    Error::new(kind, trouble.to_string())
}
