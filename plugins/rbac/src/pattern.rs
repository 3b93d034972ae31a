//! One permission: methods and a path pattern, and whether a request matches.
//!
//! Paths are compared segment by segment after decoding each once. A request's segment that decodes to `/`, to `.` or
//! `..` (also with dots, spaces or `;` behind it), or to no text matches nothing: servers behind the gateway disagree on
//! what such a path is.

/// A request's path, cut and decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

/// `GET,PUT /api/users/{id}`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Empty for `*`.
    methods: Vec<String>,
    segments: Vec<Segment>,
    /// `/**`: one or more segments may follow.
    tail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `{name}`: any, but not empty.
    Any,
    /// `{own}`: the caller's id.
    Own,
}

// === impl Path ===

impl Path {
    /// `None` for a path that no permission may match.
    pub fn parse(path: &str) -> Option<Path> {
        path.strip_prefix('/')?
            .split('/')
            .map(decode)
            .collect::<Option<_>>()
            .map(Path)
    }
}

fn decode(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut out = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
            u8::try_from(digit()? << 4 | digit()?).ok()?
        } else {
            byte
        });
    }
    let text = String::from_utf8(out).ok()?;
    // Servlet containers drop what follows `;`, and Windows the dots and spaces at the end: nothing, `.` or `..` is left.
    let name = text.split(';').next().unwrap_or_default();
    let moves = !text.is_empty() && name.trim_end_matches(['.', ' ']).is_empty();
    let traps = moves || text.contains(['/', '\\']) || text.contains(char::is_control);
    (!traps).then_some(text)
}

// === impl Permission ===

impl Permission {
    /// Parses `METHOD[,METHOD] /pattern`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Permission, String> {
        let (methods, pattern) = text
            .trim()
            .split_once(' ')
            .ok_or("write \"METHOD /path\"")?;
        let (path, tail) = match pattern.trim_start().strip_suffix("/**") {
            Some(path) => (path, true),
            None => (pattern.trim_start(), false),
        };
        let segments = match path.strip_prefix('/') {
            Some(rest) => rest.split('/').map(segment).collect::<Result<_, _>>()?,
            None if path.is_empty() && tail => Vec::new(), // "/**": everything
            None => return Err("the path starts with a slash".to_owned()),
        };
        Ok(Permission {
            methods: self::methods(methods)?,
            segments,
            tail,
        })
    }

    /// Whether it covers the request of this caller.
    pub fn allows(&self, method: &str, path: &Path, caller_id: &str) -> bool {
        let method_fits = self.methods.is_empty() || self.methods.iter().any(|m| m == method);
        let length_fits = if self.tail {
            path.0.len() > self.segments.len()
        } else {
            path.0.len() == self.segments.len()
        };
        method_fits
            && length_fits
            && self
                .segments
                .iter()
                .zip(&path.0)
                .all(|(s, text)| s.fits(text, caller_id))
    }
}

fn methods(text: &str) -> Result<Vec<String>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let method = |m: &str| {
        if !m.is_empty() && m.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            Ok(m.to_owned())
        } else {
            Err(format!(
                "{m:?} is no method; write \"GET\", \"GET,PUT\" or \"*\""
            ))
        }
    };
    text.split(',').map(method).collect()
}

fn segment(text: &str) -> Result<Segment, String> {
    let braced = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let name = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match braced {
        Some("own") => Ok(Segment::Own),
        Some(n) if name(n) => Ok(Segment::Any),
        _ if text.contains(['{', '}', '*', '?', '#']) => Err(format!(
            "{text:?} is no segment; {{name}} and {{own}} stand alone, /** ends the path"
        )),
        _ => decode(text)
            .map(Segment::Literal)
            .ok_or_else(|| format!("{text:?} can be in no request's path")),
    }
}

impl Segment {
    fn fits(&self, text: &str, caller_id: &str) -> bool {
        match self {
            Segment::Literal(literal) => literal == text,
            Segment::Any => !text.is_empty(),
            Segment::Own => !text.is_empty() && text == caller_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(permission: &str, method: &str, path: &str) -> bool {
        let permission = Permission::parse(permission).expect("the test's permission is valid");
        Path::parse(path).is_some_and(|path| permission.allows(method, &path, "42"))
    }

    #[test]
    fn a_permission_covers_these() {
        for (permission, method, path) in [
            ("GET /api/raids", "GET", "/api/raids"),
            ("GET,PUT /api/users/{id}", "PUT", "/api/users/9"),
            ("* /api/users/{own}", "DELETE", "/api/users/42"),
            ("GET /api/users/{own}", "GET", "/api/users/%34%32"),
            ("GET /users/@me", "GET", "/users/%40me"),
            ("GET /users/%40me", "GET", "/users/@me"),
            ("GET /users:purge", "GET", "/users%3apurge"),
            ("GET /files/**", "GET", "/files/a/b"),
            ("GET /files/**", "GET", "/files/"),
            ("GET /**", "GET", "/"),
            ("* /**", "PURGE", "/a/b/c"),
            ("GET /", "GET", "/"),
            ("GET /a%20b/c", "GET", "/a%20b/c"),
            ("GET /a b", "GET", "/a%20b"),
            ("GET /tags/{t}", "GET", "/tags/%C3%A4"),
            ("GET /files/**", "GET", "/files/a;b/c."),
            ("GET /files/**", "GET", "/files/..a/...b"),
            ("GET /tags/{tag_id}", "GET", "/tags/7"),
            ("M-SEARCH /", "M-SEARCH", "/"),
        ] {
            assert!(
                allows(permission, method, path),
                "{permission} for {method} {path}"
            );
        }
    }

    #[test]
    fn and_not_these() {
        for (permission, method, path) in [
            ("GET /api/raids", "HEAD", "/api/raids"),
            ("GET /api/raids", "get", "/api/raids"),
            ("GET /api/raids", "GET", "/api/raids/"),
            ("GET /api/raids", "GET", "/api/Raids"),
            ("GET /api/raids", "GET", "/api"),
            ("GET /api/users/{id}", "GET", "/api/users/"),
            ("GET /api/users/{id}", "GET", "/api/users/4/2"),
            ("GET /api/users/{own}", "GET", "/api/users/43"),
            ("GET /api/users/{own}", "GET", "/api/users/042"),
            ("GET /api/users/{own}", "GET", "/api/users/"),
            ("GET /files/**", "GET", "/files"),
            ("GET /files/**", "GET", "/filesystem/a"),
            ("GET /files/{f}", "GET", "/files/a%2Fb"),
            ("GET /files/**", "GET", "/files/%2e%2e/secret"),
            ("GET /files/**", "GET", "/files/./a"),
            ("GET /files/**", "GET", "/files/..;/secret"),
            ("GET /files/**", "GET", "/files/..;a=b/secret"),
            ("GET /files/**", "GET", "/files/%2e%2e%3b/secret"),
            ("GET /files/**", "GET", "/files/.;/a"),
            ("GET /files/**", "GET", "/files/;/../secret"),
            ("GET /files/**", "GET", "/files/.%20/secret"),
            ("GET /files/**", "GET", "/files/..%20;x/secret"),
            ("GET /files/**", "GET", "/files/.../secret"),
            ("GET /files/{f}", "GET", "/files/;"),
            ("GET /files/**", "GET", "/files/./secret"),
            ("GET /files/**", "GET", "/files/%2e"),
            ("GET /files/**", "GET", "/files/a%5Cb"),
            ("GET /files/**", "GET", "/files/%ff"),
            ("GET /files/**", "GET", "/files/%0a"),
            ("GET /files/**", "GET", "/files/%"),
            ("GET /files/**", "GET", "/files/%4"),
            ("* /**", "GET", "no-slash"),
        ] {
            assert!(
                !allows(permission, method, path),
                "{permission} for {method} {path}"
            );
        }
    }

    #[test]
    fn an_empty_caller_owns_nothing() {
        let permission = Permission::parse("GET /u/{own}").expect("valid");
        let path = Path::parse("/u/").expect("a path");
        assert!(!permission.allows("GET", &path, ""));
    }

    #[test]
    fn a_permission_needs_a_slash() {
        for text in [
            "GET api",
            "GET api/**",
            "* api/**",
            "GET a/b",
            "GET **",
            "GET ",
        ] {
            assert!(Permission::parse(text).is_err(), "{text:?}");
        }
        for text in ["GET /", "GET /**", "* /api/**"] {
            assert!(Permission::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_permission_is_told() {
        for text in [
            "",
            "GET",
            "/api",
            "get /api",
            "GET, /api",
            " /api",
            "GET,* /api",
            "GET /a/{b",
            "GET /a{b}",
            "GET /{}",
            "GET /{a-b}",
            "GET /a/*",
            "GET /**/a",
            "GET /a?b=1",
            "GET /..",
            "GET /%zz",
        ] {
            assert!(Permission::parse(text).is_err(), "{text:?}");
        }
    }
}
