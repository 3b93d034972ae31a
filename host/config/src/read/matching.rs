//! What a route matches: hosts, path, methods, headers and query.

use std::collections::BTreeSet;

use portcullis_syntax::host::canonical;
use portcullis_syntax::method::{self, MethodError};
use toml::Spanned;
use toml::de::DeValue;

use super::admission;
use crate::diagnostic::Span;
use crate::fields::{Fields, Item, Word};
use crate::mistakes::Fault;
use crate::plan::{Condition, Listen, PathPattern, Want};
use crate::shapes::type_name;
use crate::spelling;

/// What a request must have to take a route.
pub(super) struct Match {
    pub(super) hosts: Vec<String>,
    pub(super) path: Option<PathPattern>,
    pub(super) methods: Vec<String>,
    pub(super) headers: Vec<Condition>,
    pub(super) query: Vec<Condition>,
}

impl Match {
    pub(super) fn read(fields: &Fields<'_>, listen: &Listen) -> Match {
        let hosts = hosts(fields);
        let path = path(fields);
        if let Some(path) = &path {
            admission::check_path(fields, path, listen.admission.paths);
        }
        let methods = methods(fields);
        let headers = headers(fields);
        admission::check_conditions(fields, &headers, &listen.admission.headers);
        Match {
            hosts,
            path,
            methods,
            headers,
            query: query(fields),
        }
    }
}

fn path(fields: &Fields<'_>) -> Option<PathPattern> {
    let mistakes = fields.mistakes();
    match (fields.item("path"), fields.item("prefix")) {
        (Some(_), None) => {
            let word = fields.text("path")?;
            mistakes.note(word.span, PathPattern::parse(word.text))
        }
        (None, Some(_)) => {
            let word = fields.text("prefix")?;
            mistakes.note(word.span, PathPattern::parse_prefix(word.text))
        }
        (Some(_), Some(prefix)) => {
            let fault = Fault::new("a route has `path` or `prefix`, not both");
            mistakes.fault(
                prefix.span().into(),
                fault.with_hint("prefix = \"/a\" is short for path = \"/a/**\""),
            );
            None
        }
        (None, None) => {
            let fault = Fault::new("[[route]] has no `path`");
            let hint =
                "write path = \"/a\" for one path, or prefix = \"/a\" for everything below it";
            mistakes.fault(fields.span(), fault.with_hint(hint));
            None
        }
    }
}

/// `host`: one or a list, in lower case.
fn hosts(fields: &Fields<'_>) -> Vec<String> {
    let words = match fields.item("host").map(Spanned::get_ref) {
        Some(DeValue::Array(_)) => fields.distinct("host"),
        _ => fields.text("host").into_iter().collect(),
    };
    refuse_empty(fields, "host");
    let hosts = words
        .into_iter()
        .filter_map(|word| fields.mistakes().note(word.span, host_of(word.text)));
    hosts.collect()
}

/// In the one spelling that requests are brought to; `*.` stays before it.
fn host_of(text: &str) -> Result<String, Fault> {
    let (star, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    // A star before an address would match nothing.
    let known = canonical(name).filter(|name| star.is_empty() || !is_address(name));
    if let Some(name) = known {
        return Ok(format!("{star}{name}"));
    }
    let fault = Fault::new(format!("`{text}` is not a host"));
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split('/').next().unwrap_or(bare);
    let bare = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    let fits = bare != text && canonical(bare.strip_prefix("*.").unwrap_or(bare)).is_some();
    Err(if fits {
        fault.with_hint(format!("write \"{bare}\", without scheme, port and path"))
    } else {
        fault
            .with_hint("write \"api.example.com\", or \"*.example.com\" for every name below it; an address in full")
    })
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok()
}

/// `methods`: tokens in upper case.
pub(super) fn methods(fields: &Fields<'_>) -> Vec<String> {
    refuse_empty(fields, "methods");
    named_methods(fields)
}

/// The same, where none is not a mistake.
pub(super) fn named_methods(fields: &Fields<'_>) -> Vec<String> {
    let words = fields.distinct("methods").into_iter();
    let methods = words.filter_map(|word| {
        fields.mistakes().note(word.span, check_method(word.text))?;
        Some(word.text.to_owned())
    });
    methods.collect()
}

fn check_method(text: &str) -> Result<(), Fault> {
    if !spelling::is_token(text) {
        let fault = Fault::new(format!("`{text}` cannot be a method"));
        return Err(fault.with_hint("a method is a word like GET"));
    }
    method::check(text).map_err(|error| match error {
        MethodError::Case => Fault::new(format!("the method `{text}` is not in upper case"))
            .with_hint(format!("write \"{}\"", text.to_ascii_uppercase())),
        MethodError::Never => Fault::new(format!("the method {text} is never served"))
            .with_hint("take it out; the gateway is no tunnel and echoes no requests"),
    })
}

fn refuse_empty(fields: &Fields<'_>, key: &str) {
    if let Some(DeValue::Array(array)) = fields.item(key).map(Spanned::get_ref)
        && array.is_empty()
    {
        let fault = Fault::new(format!("`{key}` is empty: the route would match nothing"));
        fields.mistakes().fault(
            fields.span_of(key),
            fault.with_hint("leave the key out to match everything"),
        );
    }
}

/// `headers`: sorted by their names, which are in lower case.
pub(super) fn headers(fields: &Fields<'_>) -> Vec<Condition> {
    let mut seen = BTreeSet::new();
    let mut headers = conditions(fields, "headers", |name, want| {
        if !spelling::is_token(name) {
            let fault = Fault::new(format!("`{name}` cannot be the name of a header"));
            return Err(fault.with_hint("the name of a header is a word like x-team"));
        }
        if let Want::Equals(value) = want
            && (value.chars().any(|c| c.is_control() || !c.is_ascii()) || value.trim() != value)
        {
            let fault = Fault::new(format!("no header `{name}` can have this value"));
            return Err(fault.with_hint("a value is ASCII text without spaces around it"));
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            let fault = Fault::new(format!("there are two conditions on the header `{name}`"));
            return Err(fault.with_hint("upper and lower case are the same here; take one out"));
        }
        Ok(())
    });
    for header in &mut headers {
        header.name.make_ascii_lowercase();
    }
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    headers
}

/// `cookies`: sorted by name (RFC 6265 section 4.1.1).
pub(super) fn cookies(fields: &Fields<'_>) -> Vec<Condition> {
    conditions(fields, "cookies", |name, want| {
        if !spelling::is_token(name) {
            let fault = Fault::new(format!("`{name}` cannot be the name of a cookie"));
            return Err(fault.with_hint("the name of a cookie is a word like canary"));
        }
        let fits = |c: char| c.is_ascii_graphic() && !"\",;\\".contains(c);
        match want {
            Want::Equals(value) if !value.chars().all(fits) => {
                let fault = Fault::new(format!("no cookie `{name}` can have this value"));
                Err(fault.with_hint("a value is ASCII without spaces, quotes, `,`, `;` and `\\`"))
            }
            _ => Ok(()),
        }
    })
}

/// `query`: sorted by name.
pub(super) fn query(fields: &Fields<'_>) -> Vec<Condition> {
    conditions(fields, "query", |name, _| match name {
        "" => Err(Fault::new("a query parameter has a name")
            .with_hint("write query = { name = \"value\" }")),
        _ => Ok(()),
    })
}

fn conditions<'a>(
    fields: &Fields<'a>,
    key: &str,
    mut check: impl FnMut(&str, &Want) -> Result<(), Fault>,
) -> Vec<Condition> {
    let Some((_, table)) = fields.table(key) else {
        return Vec::new();
    };
    let conditions = table.iter().filter_map(|(name, item)| {
        let mistakes = fields.mistakes();
        let want = mistakes.note(item.span().into(), want(name.get_ref(), item))?;
        let at: Span = name.span().into();
        mistakes.note(at, check(name.get_ref(), &want))?;
        Some(Condition {
            name: name.get_ref().to_string(),
            want,
        })
    });
    conditions.collect()
}

fn want(name: &str, item: Item<'_>) -> Result<Want, Fault> {
    match item.get_ref() {
        DeValue::Boolean(true) => Ok(Want::Present),
        DeValue::Boolean(false) => Ok(Want::Absent),
        DeValue::String(_) => Ok(Want::Equals(Word::of(name, item)?.text.to_owned())),
        other => {
            let fault = Fault::new(format!(
                "the condition `{name}` cannot be {}",
                type_name(other)
            ));
            Err(fault.with_hint("write a string, true (must be there) or false (must not)"))
        }
    }
}
