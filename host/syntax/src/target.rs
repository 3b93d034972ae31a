//! A request target, normalised once (RFC 3986 section 6.2.2). What is routed, authorized and forwarded is this
//! value and nothing else, so no two parts of the gateway can read one path in two ways.
//!
//! A client may write `@` or `%40`. Servers read both alike, so routes and plugins compare one spelling of them. What is
//! forwarded keeps the client's: a few services cut a segment at `,` or `;` before they decode it.

use http::uri::PathAndQuery;

use crate::path::PathRules;

/// Path and query in origin form (RFC 9112 section 3.2.1): dot segments and duplicate slashes removed, unreserved
/// characters decoded, other percent-encodings in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    raw: PathAndQuery,
    /// The path with every character decoded that a path may hold as it is; None where that changes nothing.
    canonical: Option<Box<str>>,
}

/// Why a target was refused. Display is fit for a client: it does not repeat what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("the request target does not start with a slash")]
    NotOrigin,
    #[error("the request target has a character that must be percent-encoded")]
    Character,
    #[error("the path has an incomplete percent-encoding")]
    Encoding,
    #[error("the path has an encoded slash, backslash or control character")]
    Ambiguous,
    #[error("the path climbs above its root")]
    Climbs,
    #[error(
        "the path has a percent-encoding that UTF-8 does not have: a byte that it never uses, or too many bytes"
    )]
    Overlong,
    #[error("the path has a parameter: `;`, which some servers read as the end of a segment")]
    Parameter,
    #[error(
        "the path has a segment that some servers read as another one: it ends in a dot or a space, is a short name \
         (`A~1`), or holds a session or a stream"
    )]
    Iis,
    #[error("the path goes on behind a script")]
    Script,
}

impl Default for Target {
    fn default() -> Self {
        Target {
            raw: PathAndQuery::from_static("/"),
            canonical: None,
        }
    }
}

impl Target {
    /// Judges and normalises what a client sent. A target that is normal already is not copied.
    pub fn new(raw: PathAndQuery, rules: PathRules) -> Result<Target, TargetError> {
        check_query(raw.query())?;
        if is_normal(raw.path()) {
            return Ok(Target {
                raw,
                canonical: None,
            });
        }
        let path = normalise(raw.path(), rules)?;
        Ok(Target::join(path, raw.query()))
    }

    /// What a plugin or gateway.toml says: by the laxest rules, because its author chose it.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse_by(text, PathRules::LAX)
    }

    /// The same as [`Target::new`] from text.
    pub fn parse_by(text: &str, rules: PathRules) -> Result<Target, TargetError> {
        if !text.starts_with('/') {
            return Err(TargetError::NotOrigin);
        }
        if text.contains('#') {
            return Err(TargetError::Character);
        }
        let raw = PathAndQuery::try_from(text).map_err(|_| TargetError::Character)?;
        Target::new(raw, rules)
    }

    /// As it is forwarded.
    pub fn path(&self) -> &str {
        self.raw.path()
    }

    /// The one spelling of all that mean this path: what routes, permits and plugins compare. Only what a path cannot
    /// hold as it is stays encoded.
    pub fn canonical_path(&self) -> &str {
        self.canonical.as_deref().unwrap_or_else(|| self.path())
    }

    /// The same with the query, which is compared as it came.
    pub fn to_canonical(&self) -> String {
        let mut text = self.canonical_path().to_owned();
        if let Some(query) = self.query() {
            text.push('?');
            text.push_str(query);
        }
        text
    }

    pub fn query(&self) -> Option<&str> {
        self.raw.query()
    }

    pub fn as_str(&self) -> &str {
        self.raw.as_str()
    }

    pub fn to_path_and_query(&self) -> PathAndQuery {
        self.raw.clone()
    }

    fn join(mut path: String, query: Option<&str>) -> Target {
        let canonical = path.contains('%').then(|| canonical(&path));
        let canonical = canonical.filter(|canonical| *canonical != path);
        if let Some(query) = query {
            path.push('?');
            path.push_str(query);
        }
        Target {
            raw: PathAndQuery::try_from(path).expect("built from checked characters"),
            canonical: canonical.map(Into::into),
        }
    }
}

/// A path, or a part of one, in the one spelling that is compared: every pchar of RFC 3986 section 3.3 as it is. An
/// encoding that is not complete stays as it is, and so does an encoded slash.
pub fn canonical(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, encoded)) = rest.split_once('%') {
        out.push_str(before);
        match encoded_byte(encoded.as_bytes()) {
            Some(value) if is_pchar(value) => {
                out.push(char::from(value));
                rest = &encoded[2..];
            }
            _ => {
                out.push('%');
                rest = encoded;
            }
        }
    }
    out.push_str(rest);
    out
}

/// pchar of RFC 3986 section 3.3, the percent sign and the slash.
fn is_path_byte(b: u8) -> bool {
    is_pchar(b) || b == b'/' || b == b'%'
}

/// pchar of RFC 3986 section 3.3 without the percent sign: what a segment may hold as it is.
fn is_pchar(b: u8) -> bool {
    is_unreserved(b) || b"!$&'()*+,;=:@".contains(&b)
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}

fn check_query(query: Option<&str>) -> Result<(), TargetError> {
    // Lenient as browsers are: any visible ASCII. What must not pass are controls, spaces and raw UTF-8.
    match query {
        Some(q) if !q.bytes().all(|b| b.is_ascii_graphic() && b != b'#') => {
            Err(TargetError::Character)
        }
        _ => Ok(()),
    }
}

/// True where no rule could object and `normalise` would give back the same text. Errs on the side of false.
fn is_normal(path: &str) -> bool {
    let mut previous = 0u8;
    let mut dotted = false;
    for (i, b) in path.bytes().enumerate() {
        let plain = match b {
            // A segment with a dot in it may be a script, or end in the dot.
            b'/' => i == 0 || (previous != b'/' && !dotted),
            b'.' => previous != b'/',
            b'%' | b';' | b'(' | b'$' | b'~' => false,
            _ => is_path_byte(b),
        };
        if !plain || (i == 0 && b != b'/') {
            return false;
        }
        dotted = b != b'/' && (dotted || b == b'.');
        previous = b;
    }
    !path.is_empty() && previous != b'.'
}

fn normalise(path: &str, rules: PathRules) -> Result<String, TargetError> {
    if !path.starts_with('/') {
        return Err(TargetError::NotOrigin);
    }
    let decoded = decode_unreserved(path)?;
    rules.check(&decoded)?;
    let mut out = String::with_capacity(decoded.len());
    let mut trailing = false;
    for segment in decoded.split('/').skip(1) {
        let segment = rules.without_parameters(segment);
        trailing = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                let cut = out.rfind('/').ok_or(TargetError::Climbs)?;
                out.truncate(cut);
            }
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if trailing || out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

fn decode_unreserved(path: &str) -> Result<String, TargetError> {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if b != b'%' {
            if !is_path_byte(b) {
                return Err(TargetError::Character);
            }
            out.push(char::from(b));
            i += 1;
            continue;
        }
        let value = encoded_byte(&bytes[i + 1..]).ok_or(TargetError::Encoding)?;
        if is_unreserved(value) {
            out.push(char::from(value));
        } else if value == b'/' || value == b'\\' || value.is_ascii_control() {
            return Err(TargetError::Ambiguous);
        } else {
            out.push('%');
            out.push_str(&path[i + 1..i + 3].to_ascii_uppercase());
        }
        i += 3;
    }
    Ok(out)
}

/// What the two digits behind a percent sign stand for.
pub(crate) fn encoded_byte(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low, ..] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}

fn hex_value(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|v| u8::try_from(v).ok())
}

#[cfg(test)]
mod tests;
