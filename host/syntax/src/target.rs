//! A request target, normalised once (RFC 3986 section 6.2.2). What is routed, authorized and forwarded is this
//! value and nothing else, so no two parts of the gateway can read one path in two ways.

use http::uri::PathAndQuery;

use crate::path::PathRules;

/// Path and query in origin form (RFC 9112 section 3.2.1): dot segments and duplicate slashes removed, unreserved
/// characters decoded, other percent-encodings in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(PathAndQuery);

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
    #[error("the path has a percent-encoding that is longer than it has to be")]
    Overlong,
    #[error("the path has a parameter: `;`, which some servers read as the end of a segment")]
    Parameter,
    #[error(
        "the path has a segment that some servers read as another one: it ends in a dot or a space, or holds a session \
         or a stream"
    )]
    Iis,
    #[error("the path goes on behind a script")]
    Php,
}

impl Default for Target {
    fn default() -> Self {
        Target(PathAndQuery::from_static("/"))
    }
}

impl Target {
    /// Judges and normalises what a client sent. A target that is normal already is not copied.
    pub fn new(raw: PathAndQuery, rules: PathRules) -> Result<Target, TargetError> {
        check_query(raw.query())?;
        if is_normal(raw.path()) {
            return Ok(Target(raw));
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

    pub fn path(&self) -> &str {
        self.0.path()
    }

    pub fn query(&self) -> Option<&str> {
        self.0.query()
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn to_path_and_query(&self) -> PathAndQuery {
        self.0.clone()
    }

    fn join(mut path: String, query: Option<&str>) -> Target {
        if let Some(query) = query {
            path.push('?');
            path.push_str(query);
        }
        Target(PathAndQuery::try_from(path).expect("built from checked characters"))
    }
}

/// pchar of RFC 3986 section 3.3, and the slash.
fn is_path_byte(b: u8) -> bool {
    is_unreserved(b) || b"!$&'()*+,;=:@/%".contains(&b)
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
            b'%' | b';' | b'(' | b'$' => false,
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
        let value = bytes
            .get(i + 1..i + 3)
            .and_then(|hex| Some(hex_value(hex[0])? << 4 | hex_value(hex[1])?))
            .ok_or(TargetError::Encoding)?;
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

fn hex_value(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|v| u8::try_from(v).ok())
}

#[cfg(test)]
mod tests;
