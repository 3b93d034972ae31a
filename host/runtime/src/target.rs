//! A request target, normalised once (RFC 3986 section 6.2.2). What is routed, authorized and forwarded is this
//! value and nothing else, so no two parts of the gateway can read one path in two ways.

use http::uri::PathAndQuery;

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
}

impl Default for Target {
    fn default() -> Self {
        Target(PathAndQuery::from_static("/"))
    }
}

impl Target {
    /// Normalises `raw`. A target that is normal already is not copied.
    pub fn new(raw: PathAndQuery) -> Result<Target, TargetError> {
        check_query(raw.query())?;
        if is_normal(raw.path()) {
            return Ok(Target(raw));
        }
        let path = normalise(raw.path())?;
        Ok(Target::join(path, raw.query()))
    }

    /// The same from text, for what a plugin sets.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        if !text.starts_with('/') {
            return Err(TargetError::NotOrigin);
        }
        if text.contains('#') {
            return Err(TargetError::Character);
        }
        let raw = PathAndQuery::try_from(text).map_err(|_| TargetError::Character)?;
        Target::new(raw)
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

/// True where `normalise` would give back the same text. Errs on the side of false.
fn is_normal(path: &str) -> bool {
    let mut previous = 0u8;
    for (i, b) in path.bytes().enumerate() {
        let plain = match b {
            b'/' => i == 0 || previous != b'/',
            b'.' => previous != b'/',
            b'%' => false,
            _ => is_path_byte(b),
        };
        if !plain || (i == 0 && b != b'/') {
            return false;
        }
        previous = b;
    }
    !path.is_empty()
}

fn normalise(path: &str) -> Result<String, TargetError> {
    if !path.starts_with('/') {
        return Err(TargetError::NotOrigin);
    }
    let decoded = decode_unreserved(path)?;
    let mut out = String::with_capacity(decoded.len());
    let mut trailing = false;
    for segment in decoded.split('/').skip(1) {
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
mod tests {
    use super::*;

    #[test]
    fn a_target_is_normalised_or_refused() {
        use TargetError::{Ambiguous, Character, Climbs, Encoding, NotOrigin};
        let cases: &[(&str, Result<&str, TargetError>)] = &[
            ("/", Ok("/")),
            ("/a/b?x=1", Ok("/a/b?x=1")),
            ("//a///b/", Ok("/a/b/")),
            ("/a/./b/../c", Ok("/a/c")),
            ("/a/..", Ok("/")),
            ("/a/b/.", Ok("/a/b/")),
            ("/.well-known/x", Ok("/.well-known/x")),
            ("/a.b", Ok("/a.b")),
            ("/%7euser/%41", Ok("/~user/A")),
            ("/%2e%2e/x", Err(Climbs)),
            ("/a/%2E%2e/x", Ok("/x")),
            ("/a%c3%a9", Ok("/a%C3%A9")),
            ("/..", Err(Climbs)),
            ("/a%2fb", Err(Ambiguous)),
            ("/a%5Cb", Err(Ambiguous)),
            ("/a%00", Err(Ambiguous)),
            ("/a%0d", Err(Ambiguous)),
            ("/a%zz", Err(Encoding)),
            ("/a%4", Err(Encoding)),
            ("/a\\b", Err(Character)),
            ("/a b", Err(Character)),
            ("/a#b", Err(Character)),
            ("/a?b#c", Err(Character)),
            ("/a?b c", Err(Character)),
            ("*", Err(NotOrigin)),
            ("", Err(NotOrigin)),
            ("/a?q=%2f..%00", Ok("/a?q=%2f..%00")),
        ];
        for (raw, want) in cases {
            let got = Target::parse(raw);
            assert_eq!(
                got.as_ref().map(Target::as_str),
                want.as_ref().copied(),
                "{raw}"
            );
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for raw in ["/a/%7e//../b/./%c3%a9/", "/x/..//y", "/...//a/.b"] {
            let once = Target::parse(raw).expect("valid");
            assert_eq!(Target::parse(once.as_str()).as_ref(), Ok(&once), "{raw}");
        }
    }
}
