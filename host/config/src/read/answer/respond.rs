//! `respond`

use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::super::File;
use crate::fields::{Fields, Word};
use crate::keys;
use crate::mistakes::Fault;
use crate::plan::RespondPlan;
use crate::shapes::type_name;
use crate::spelling;

const LARGEST: u64 = 1024 * 1024;
/// The gateway's own to say.
const FRAMING: [&str; 7] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Types by ending; anything else is bytes.
const TYPES: [(&str, &str); 12] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
];

pub(super) fn read(file: &File<'_>, route: &Fields<'_>) -> Option<RespondPlan> {
    let (span, table) = route.table("respond")?;
    let fields = Fields::new(&keys::RESPOND, span, table, route.mistakes());
    let status = fields.count("status") as u16;
    let mut headers = headers(&fields);
    let (text, path) = (fields.text("body"), fields.text("file"));
    if let (Some(_), Some(path)) = (text, path) {
        let fault = Fault::new("a response has `body` or `file`, not both");
        let fault = fault.with_hint("take one out");
        route.mistakes().fault(path.span, fault);
        return None;
    }
    let (body, content_type) = match (text, path) {
        (Some(text), _) => (text.text.as_bytes().to_vec(), "text/plain; charset=utf-8"),
        (None, Some(path)) => {
            let body = contents(&file.secrets.dir.join(path.text), path.text);
            (route.mistakes().note(path.span, body)?, type_of(path.text))
        }
        (None, None) => (Vec::new(), ""),
    };
    // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        let fault = Fault::new(format!("a response with the status {status} has no body"));
        let fault = fault.with_hint("take the body out, or give another status");
        route.mistakes().fault(fields.span_of("status"), fault);
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    Some(RespondPlan {
        status,
        headers,
        body: Arc::from(body),
    })
}

fn headers(fields: &Fields<'_>) -> Vec<(String, String)> {
    let Some((_, table)) = fields.table("headers") else {
        return Vec::new();
    };
    let mistakes = fields.mistakes();
    let header = |(name, item): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        let value = Word::of(name, item).map_err(|_| {
            let found = type_name(item.get_ref());
            Fault::new(format!("the header `{name}` must be a string, not {found}"))
        });
        let word = mistakes.note(item.span().into(), value)?;
        mistakes.note(word.span, check_header(name, word.text))?;
        Some((name.to_ascii_lowercase(), word.text.to_owned()))
    };
    table.iter().filter_map(header).collect()
}

fn check_header(name: &str, value: &str) -> Result<(), Fault> {
    if !spelling::is_token(name) {
        let fault = Fault::new(format!("`{name}` cannot be the name of a header"));
        return Err(fault.with_hint("the name of a header is a word like cache-control"));
    }
    if FRAMING.contains(&name.to_ascii_lowercase().as_str()) {
        let fault = Fault::new(format!("the header `{name}` is the gateway's own to say"));
        return Err(fault.with_hint("take it out"));
    }
    if value.chars().any(|c| c.is_control() || !c.is_ascii()) || value.trim() != value {
        let fault = Fault::new(format!("no header `{name}` can have this value"));
        return Err(fault.with_hint("a value is ASCII text without spaces around it"));
    }
    Ok(())
}

fn contents(path: &Path, name: &str) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| {
        let fault = Fault::new(format!("the file `{name}` cannot be read: {error}"));
        fault.with_hint("give the path of a file, relative to gateway.toml")
    };
    let file = std::fs::metadata(path).map_err(unreadable)?;
    if !file.is_file() {
        // Reading from a pipe would wait for ever.
        let fault = Fault::new(format!("`{name}` is not a file"));
        return Err(fault.with_hint("give the path of a file, relative to gateway.toml"));
    }
    if file.len() > LARGEST {
        let fault = Fault::new(format!("the file `{name}` is larger than 1 MiB"));
        return Err(fault.with_hint("it would be held in memory; let a service send it"));
    }
    std::fs::read(path).map_err(unreadable)
}

fn type_of(file: &str) -> &'static str {
    let ending = Path::new(file).extension().and_then(|e| e.to_str());
    let known = TYPES.iter().find(|(known, _)| ending == Some(*known));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}
