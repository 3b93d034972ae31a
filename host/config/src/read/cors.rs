//! `cors`: whose pages may use the answers.

use super::matching;
use super::upstream::is_host;
use crate::fields::{Fields, Word};
use crate::mistakes::Fault;
use crate::plan::{Cors, Origin};
use crate::spelling;

const ORIGIN: &str = "write \"https://app.example\", without path and without a slash at the end";

pub(super) fn read(fields: &Fields<'_>) -> Option<Cors> {
    let mistakes = fields.mistakes();
    fields.required("origins")?;
    let words = fields.distinct("origins");
    let credentials = fields.flag("credentials");
    let headers = names(fields, "headers");
    let expose = names(fields, "expose");
    if credentials {
        refuse_star(fields, "origins", &words, ORIGIN);
        for key in ["headers", "expose"] {
            let hint = "list the headers by name";
            refuse_star(fields, key, &fields.list(key), hint);
        }
    }
    if let [_, _, ..] = words.as_slice()
        && let Some(star) = words.iter().find(|word| word.text == "*")
    {
        let fault = Fault::new("`*` is every page: the other origins have no effect");
        mistakes.fault(star.span, fault.with_hint("keep the others, or `*` alone"));
    }
    let origins = words
        .iter()
        .filter_map(|word| mistakes.note(word.span, origin(word.text)));
    Some(Cors {
        origins: origins.collect(),
        methods: matching::named_methods(fields),
        headers,
        expose,
        credentials,
        max_age: fields.duration("max_age"),
    })
}

/// With credentials browsers take `*` for a name (Fetch standard, "CORS protocol and credentials"): what looks open
/// would be shut, and answering with whatever origin asks would let any page act as the user.
fn refuse_star(fields: &Fields<'_>, key: &str, words: &[Word<'_>], hint: &str) {
    for star in words.iter().filter(|word| word.text == "*") {
        let fault = Fault::new(format!(
            "`*` in `{key}` does not go with `credentials = true`"
        ));
        fields.mistakes().fault(star.span, fault.with_hint(hint));
    }
}

/// Names of header fields, in lower case.
fn names(fields: &Fields<'_>, key: &str) -> Vec<String> {
    let words = fields.distinct(key).into_iter();
    let names = words.filter_map(|word| {
        let name = if spelling::is_token(word.text) {
            Ok(word.text.to_ascii_lowercase())
        } else {
            Err(Fault::new(format!(
                "`{}` cannot be the name of a header",
                word.text
            )))
        };
        fields.mistakes().note(word.span, name)
    });
    names.collect()
}

fn origin(text: &str) -> Result<Origin, Fault> {
    if text == "*" {
        return Ok(Origin::Any);
    }
    if text == "null" {
        let fault = Fault::new("`null` is the origin of every sandboxed frame and local file");
        return Err(fault.with_hint("take it out: whoever can make a frame would be let in"));
    }
    let wrong = |message: String| Fault::new(message).with_hint(ORIGIN);
    let lower = text.to_ascii_lowercase();
    let Some((scheme, rest)) = lower.split_once("://") else {
        return Err(wrong(format!(
            "`{text}` is not an origin: it has no scheme"
        )));
    };
    let symbol = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if !scheme.bytes().all(symbol) || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(wrong(format!("`{scheme}` is not a scheme")));
    }
    if rest.contains(['/', '?', '#', '@']) {
        let fault = Fault::new(format!("`{text}` is more than an origin"));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        return Err(if host.contains('@') {
            fault.with_hint(ORIGIN)
        } else {
            fault.with_hint(format!("write \"{scheme}://{host}\""))
        });
    }
    if let Some(host) = rest.strip_suffix(":*") {
        return if is_host(host) {
            Ok(Origin::AnyPort(format!("{scheme}://{host}:")))
        } else {
            Err(wrong(format!("`{host}` is not a host")))
        };
    }
    let bare = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            check_port(scheme, host, port)?;
            host
        }
        _ => rest,
    };
    match bare.strip_prefix("*.") {
        Some(name) if is_host(name) && name.contains('.') => Ok(Origin::Below(
            format!("{scheme}://"),
            rest.trim_start_matches('*').to_owned(),
        )),
        Some(name) if is_host(name) => {
            let fault = Fault::new(format!(
                "`*.{name}` is everybody who registers a name there"
            ));
            Err(fault.with_hint("write \"https://*.example.com\": a domain that is yours"))
        }
        None if is_host(bare) => Ok(Origin::Exact(lower)),
        _ => Err(wrong(format!("`{bare}` is not a host"))),
    }
}

/// Browsers leave the default port out (RFC 6454 section 6.2): with it, no origin would ever match.
fn check_port(scheme: &str, host: &str, port: &str) -> Result<(), Fault> {
    if port.parse::<u16>().is_err() || !port.bytes().all(|b| b.is_ascii_digit()) {
        let fault = Fault::new(format!("`{port}` is not a port"));
        return Err(fault.with_hint("a port is a number, or `*` for any"));
    }
    if matches!((scheme, port), ("https", "443") | ("http", "80")) {
        let fault = Fault::new(format!("no page says `{scheme}://{host}:{port}`"));
        return Err(fault.with_hint(format!(
            "write \"{scheme}://{host}\": the default port is left out"
        )));
    }
    Ok(())
}
