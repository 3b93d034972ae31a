//! One path, many readings: what some families of servers read as another path than the gateway does.
//!
//! The rules look at a path as it came, with unreserved characters decoded but dot segments still in place: a segment
//! that one reader drops changes what a later `..` takes away.

use crate::target::{TargetError, canonical};

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
    /// Refuse what CGI and ColdFusion read as another path.
    pub cgi: bool,
}

impl Default for PathRules {
    fn default() -> Self {
        PathRules {
            parameters: PathParameters::default(),
            iis: true,
            php: true,
            cgi: true,
        }
    }
}

impl PathRules {
    /// For what no client sent: what every reader reads the same way, and what its author chose.
    pub const LAX: PathRules = PathRules {
        parameters: PathParameters::Forward,
        iis: false,
        php: false,
        cgi: false,
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
        // Servers decode before they look.
        let segment = canonical(self.without_parameters(segment));
        if self.iis && is_read_by_iis(&segment) {
            return Err(TargetError::Iis);
        }
        if self.is_script(&segment, is_last) {
            return Err(TargetError::Script);
        }
        Ok(())
    }

    /// Whether a server runs a script that the path goes on behind, in this segment or in the next ones.
    fn is_script(self, segment: &str, is_last: bool) -> bool {
        // Some take an encoded `?` for the end of the path (CVE-2024-38474).
        let (name, has_query) = match segment.split_once("%3F") {
            Some((name, _)) => (name, true),
            None => (segment, false),
        };
        let Some((_, ending)) = name.rsplit_once('.') else {
            return false;
        };
        let ending = ending.to_ascii_lowercase();
        let runs = (self.php && is_php(&ending))
            || (self.iis && ASP_NET.contains(&&*ending))
            || (self.cgi && CGI.contains(&&*ending));
        runs && (has_query || !is_last)
    }
}

/// What ASP and ASP.NET run; the rest of the path is its PathInfo.
const ASP_NET: [&str; 8] = ["asax", "ascx", "ashx", "asmx", "asp", "aspx", "axd", "svc"];

/// Endings that web servers give to CGI scripts, and those of ColdFusion: the rest of the path is PATH_INFO.
const CGI: [&str; 5] = ["cfc", "cfm", "cgi", "fcgi", "pl"];

/// Whether an encoding is none of UTF-8 (RFC 3629 section 3): a byte that it never uses, or a sequence that is longer
/// than it has to be, in which `/` or `.` may hide.
fn overlong(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'%', bytes).any(|at| {
        matches!(
            &bytes[at + 1..],
            [b'C', b'0' | b'1', ..]
                | [b'E', b'0', b'%', b'8' | b'9', ..]
                | [b'F', b'0', b'%', b'8', ..]
                | [b'F', b'5'..=b'9' | b'A'..=b'F', ..]
        )
    })
}

/// Windows drops dots and spaces at the end of a name, has a second, short name for most files, and takes
/// `name::$DATA` for the name; ASP.NET drops a segment that holds a session, `(S(…))`.
fn is_read_by_iis(segment: &str) -> bool {
    let trimmed =
        !matches!(segment, "." | "..") && (segment.ends_with('.') || segment.ends_with("%20"));
    trimmed || segment.contains(":$") || is_short_name(segment) || is_session(segment)
}

/// `ADMINI~1`, `WEB~1.CON`: the name of a longer one on FAT and NTFS.
fn is_short_name(segment: &str) -> bool {
    let base = segment.rsplit_once('.').map_or(segment, |(base, _)| base);
    let Some((name, number)) = base.rsplit_once('~') else {
        return false;
    };
    !name.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// `(S(abc))`, `(A(x)F(y))`: cookieless sessions of ASP.NET.
fn is_session(segment: &str) -> bool {
    matches!(segment.as_bytes(), [b'(', letter, b'(', .., b')', b')'] if letter.is_ascii_alphabetic())
}

/// PHP runs the script, and the rest of the path is its PATH_INFO. `ending` is in lower case.
fn is_php(ending: &str) -> bool {
    let version = ending.strip_prefix("php");
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
        || matches!(ending, "phtml" | "phar" | "pht" | "phps")
}
