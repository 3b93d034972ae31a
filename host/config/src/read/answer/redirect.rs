//! `redirect`

use super::super::upstream::is_host;
use crate::fields::Fields;
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::{PathPattern, Piece, RedirectPlan, Segment};
use crate::spelling;

const STATUSES: [u64; 5] = [301, 302, 303, 307, 308];

pub(super) fn read(route: &Fields<'_>, path: Option<&PathPattern>) -> Option<RedirectPlan> {
    let (span, table) = route.table("redirect")?;
    let mistakes = route.mistakes();
    let fields = Fields::new(&keys::REDIRECT, span, table, mistakes);
    let status = fields.count("status");
    if !STATUSES.contains(&status) {
        let fault = Fault::new(format!("a redirect cannot have the status {status}"));
        let hint = "308 and 301 are for ever, 307 and 302 for now; 308 and 307 keep the method";
        mistakes.fault(fields.span_of("status"), fault.with_hint(hint));
    }
    let keep_query = fields.flag("keep_query");
    let to = fields.required_text("to")?;
    let to = mistakes.note(to.span, target(to.text, path?))?;
    Some(RedirectPlan {
        to,
        status: status as u16,
        keep_query,
    })
}

/// Scheme and host must be text, so that no request decides where a client is sent (CWE-601).
fn target(text: &str, path: &PathPattern) -> Result<Vec<Piece>, Fault> {
    let example = "write \"https://example.com/{id}\", or \"/new/{id}\" for this host";
    let rest = match text.split_once("://") {
        Some(("https" | "http", rest)) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            check_authority(&rest[..end])?;
            &rest[end..]
        }
        _ if text.starts_with("//") => {
            let fault = Fault::new("`to` begins with two slashes, which is another host");
            return Err(fault.with_hint(example));
        }
        _ if text.starts_with('/') => text,
        _ => {
            let fault = Fault::new(format!("`{text}` is not where a client can be sent"));
            return Err(fault.with_hint(example));
        }
    };
    let mut pieces = vec![Piece::Text(text[..text.len() - rest.len()].to_owned())];
    let mut left = rest;
    while let Some((before, after)) = left.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(Fault::new("`{` is not closed").with_hint(example));
        };
        pieces.push(Piece::Text(literal(before)?));
        pieces.push(value(name, path)?);
        left = after;
    }
    pieces.push(Piece::Text(literal(left)?));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(pieces)
}

fn check_authority(authority: &str) -> Result<(), Fault> {
    if authority.contains(['{', '}']) {
        let fault = Fault::new("a parameter cannot stand in the host of `to`");
        return Err(fault.with_hint("it would let whoever makes the link choose where clients go"));
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => port.parse::<u16>().ok().map(|_| host),
        _ => Some(authority),
    };
    if host.is_some_and(is_host) {
        Ok(())
    } else {
        Err(Fault::new(format!("`{authority}` is not a host"))
            .with_hint("write \"https://example.com/…\""))
    }
}

/// Characters of a URI (RFC 3986 section 2) without `#`: the fragment is the client's own.
fn literal(text: &str) -> Result<String, Fault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(c);
    match text.chars().find(|c| !fits(*c)) {
        None => Ok(text.to_owned()),
        Some('#') => Err(Fault::new("`to` has a fragment")
            .with_hint("clients keep the one they have (RFC 9110 section 10.2.2); take it out")),
        Some(c) => {
            Err(Fault::new(format!("`{c}` cannot stand in `to`")).with_hint("percent-encode it"))
        }
    }
}

fn value(name: &str, path: &PathPattern) -> Result<Piece, Fault> {
    let params = path.segments.iter().filter_map(|segment| match segment {
        Segment::Param(name) => Some(name.as_str()),
        Segment::Literal(_) => None,
    });
    let known: Vec<&str> = params.chain(path.open.then_some("rest")).collect();
    if known.contains(&name) {
        return Ok(match name {
            "rest" if path.open => Piece::Rest,
            _ => Piece::Param(name.to_owned()),
        });
    }
    let fault = Fault::new(format!("the path `{}` has no `{{{name}}}`", path.text));
    Err(if known.is_empty() {
        fault.with_hint("write a path like \"/old/{id}\" or \"/old/**\", which has {rest}")
    } else {
        fault.with_hint(spelling::hint(name, known.into_iter(), "it has"))
    })
}
