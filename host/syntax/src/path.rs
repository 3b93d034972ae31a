//! One path, many readings: what some families of servers read as another path than the gateway does.
//!
//! The rules look at a path as it came, with unreserved characters decoded but dot segments still in place: a segment
//! that one reader drops changes what a later `..` takes away.

use crate::target::TargetError;

/// What becomes of `;` in a path (RFC 3986 section 3.3). Servlet containers cut a segment there, and some WSGI
/// servers cut the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathParameters {
    /// A path that has one, also as `%3B`, is refused.
    #[default]
    Refuse,
    /// They are taken out before the path is normalised, as a servlet container does. `%3B` is refused.
    Remove,
    /// They are part of their segment. Segments that are empty, `.` or `..` without them are refused.
    Forward,
}

/// What of a path is refused besides what nobody agrees on. The default is the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRules {
    pub parameters: PathParameters,
    /// Refuse what IIS and file systems of Windows read as another path.
    pub iis: bool,
    /// Refuse what PHP behind FastCGI reads as another path.
    pub php: bool,
}

impl Default for PathRules {
    fn default() -> Self {
        PathRules {
            parameters: PathParameters::default(),
            iis: true,
            php: true,
        }
    }
}

impl PathRules {
    /// For what no client sent: what every reader reads the same way, and what its author chose.
    pub const LAX: PathRules = PathRules {
        parameters: PathParameters::Forward,
        iis: false,
        php: false,
    };

    /// Judges a path whose unreserved characters are decoded and whose encodings are in upper case.
    pub(crate) fn check(self, path: &str) -> Result<(), TargetError> {
        if overlong(path) {
            return Err(TargetError::Overlong);
        }
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            self.check_segment(segment, is_last)?;
        }
        Ok(())
    }

    /// The segment as it stands once parameters are removed, where they are.
    pub(crate) fn without_parameters(self, segment: &str) -> &str {
        match self.parameters {
            PathParameters::Remove => segment.split(';').next().unwrap_or(segment),
            PathParameters::Refuse | PathParameters::Forward => segment,
        }
    }

    fn check_segment(self, segment: &str, is_last: bool) -> Result<(), TargetError> {
        let parameter = segment.find(';').into_iter().chain(segment.find("%3B"));
        if let Some(at) = parameter.min() {
            let raw = segment.as_bytes()[at] == b';';
            let refused = match self.parameters {
                PathParameters::Refuse => true,
                PathParameters::Remove => !raw || segment.contains("%3B"),
                PathParameters::Forward => matches!(&segment[..at], "" | "." | ".."),
            };
            if refused {
                return Err(TargetError::Parameter);
            }
        }
        let segment = self.without_parameters(segment);
        if self.iis && is_read_by_iis(segment) {
            return Err(TargetError::Iis);
        }
        if self.php && is_script(segment) && !is_last {
            return Err(TargetError::Php);
        }
        Ok(())
    }
}

/// Whether `/` or `.` may hide in a UTF-8 sequence that is longer than it has to be (RFC 3629 section 3).
fn overlong(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| {
        matches!(
            &bytes[at + 1..],
            [b'C', b'0' | b'1', ..]
                | [b'E', b'0', b'%', b'8' | b'9', ..]
                | [b'F', b'0', b'%', b'8', ..]
        )
    })
}

/// Windows drops dots and spaces at the end of a name and takes `name::$DATA` for the name; ASP.NET drops a segment
/// that holds a session, `(S(…))`.
fn is_read_by_iis(segment: &str) -> bool {
    let trimmed =
        !matches!(segment, "." | "..") && (segment.ends_with('.') || segment.ends_with("%20"));
    let stream = contains_ignoring_case(segment, "::$") || {
        let encoded = segment.contains("%3A") || segment.contains("%24");
        encoded && contains_ignoring_case(&decoded(segment), "::$")
    };
    trimmed || stream || is_session(segment)
}

fn decoded(segment: &str) -> String {
    segment.replace("%3A", ":").replace("%24", "$")
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(part)
}

/// `(S(abc))`, `(A(x)F(y))`: cookieless sessions of ASP.NET.
fn is_session(segment: &str) -> bool {
    matches!(segment.as_bytes(), [b'(', letter, b'(', .., b')', b')'] if letter.is_ascii_alphabetic())
}

/// PHP runs the script, and the rest of the path is its PATH_INFO.
fn is_script(segment: &str) -> bool {
    let Some((_, ending)) = segment.rsplit_once('.') else {
        return false;
    };
    let ending = ending.to_ascii_lowercase();
    let version = ending.strip_prefix("php");
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
        || matches!(&*ending, "phtml" | "phar" | "pht" | "phps")
}
