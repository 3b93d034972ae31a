//! Paths of routes: `/a` is exact, `/a/{id}` has a parameter, `/a/**` is open.

use std::collections::BTreeSet;

use portcullis_syntax::target::canonical;

use crate::mistakes::Fault;
use crate::plan::{PathPattern, Segment};

/// What a path may hold besides letters and digits (pchar of RFC 3986 section 3.3, without `*`).
const SYMBOLS: &str = "-._~!$&'()+,;=:@";

impl PathPattern {
    /// The value of `path`.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let Some(rest) = text.strip_prefix('/') else {
            let fault = Fault::new(format!("the path `{text}` does not begin with `/`"));
            let rooted = format!("/{text}");
            return Err(match Self::parse(&rooted) {
                Ok(_) => fault.with_hint(format!("write \"{rooted}\"")),
                Err(_) => fault.with_hint("write \"/a\", \"/a/{id}\" or \"/a/**\""),
            });
        };
        if rest.contains(['?', '#']) {
            let fault = Fault::new("a path has no query and no fragment");
            return Err(
                fault.with_hint("conditions on the query go into `query = { name = \"value\" }`")
            );
        }
        let (closed, open) = match rest.strip_suffix("**") {
            Some("") => ("", true),
            Some(head) if head.ends_with('/') => (head.trim_end_matches('/'), true),
            _ => (rest, false),
        };
        let doubled = rest.contains("//") || rest.starts_with('/');
        if doubled {
            return Err(
                Fault::new(format!("the path `{text}` has an empty segment"))
                    .with_hint("write one slash; requests are brought to that form too"),
            );
        }
        if closed.ends_with('/') {
            let path = text.trim_end_matches('/');
            return Err(
                Fault::new(format!("the path `{text}` ends in a slash")).with_hint(format!(
                    "write \"{path}\", or \"{path}/**\" for everything below it"
                )),
            );
        }
        let mut segments = Vec::new();
        if !closed.is_empty() {
            for segment in closed.split('/') {
                segments.push(Segment::parse(segment)?);
            }
        }
        distinct_params(&segments)?;
        Ok(Self {
            text: text.to_owned(),
            segments,
            open,
        })
    }

    /// The value of `prefix`: `/a` stands for `/a/**`.
    pub(crate) fn parse_prefix(text: &str) -> Result<Self, Fault> {
        if text.contains('*') {
            let fault = Fault::new("a prefix has no `*`");
            return Err(fault.with_hint("a prefix is open by itself; or write `path` instead"));
        }
        if text.len() > 1 && text.ends_with('/') {
            let fault = Fault::new(format!("the prefix `{text}` ends in a slash"));
            return Err(fault.with_hint(format!("write \"{}\"", text.trim_end_matches('/'))));
        }
        Self::parse(text)?;
        Self::parse(&format!("{}/**", text.trim_end_matches('/')))
    }

    /// Whether both match the same paths, whatever their parameters are called.
    pub(crate) fn same_shape(&self, other: &Self) -> bool {
        let same = |(a, b): (&Segment, &Segment)| match (a, b) {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Param(_), Segment::Param(_)) => true,
            _ => false,
        };
        self.open == other.open
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "." || text == ".." {
            let fault = Fault::new(format!("the segment `{text}` has no meaning in a route"));
            return Err(fault.with_hint("requests are matched after dot segments are resolved"));
        }
        if text.contains('*') {
            let fault = Fault::new(format!("`{text}` cannot be a segment"));
            return Err(fault
                .with_hint("`**` may only be the last segment, and `{name}` is any one segment"));
        }
        if text.contains(['{', '}']) {
            return param(text).map(Self::Param);
        }
        check_literal(text)?;
        // As requests are compared: `/a%40b` and `/a@b` are one path.
        Ok(Self::Literal(canonical(text)))
    }
}

fn param(segment: &str) -> Result<String, Fault> {
    let name = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = name.filter(|name| !name.contains(['{', '}'])) else {
        let fault = Fault::new(format!("`{segment}` cannot be a segment"));
        return Err(fault.with_hint("a parameter is a whole segment: `/{name}/`"));
    };
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts_well = name.starts_with(first);
    if starts_well && name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        return Ok(name.to_owned());
    }
    let fault = Fault::new(format!("`{name}` cannot be the name of a parameter"));
    Err(fault
        .with_hint("a parameter is named with a-z, 0-9 and `_`, and does not begin with a digit"))
}

/// A literal must be in the form requests are brought to, or it would never match.
fn check_literal(segment: &str) -> Result<(), Fault> {
    let mut rest = segment.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            check_escape(rest.as_str())?;
        } else if !c.is_ascii_alphanumeric() && !SYMBOLS.contains(c) {
            let mut utf8 = [0; 4];
            let bytes = c.encode_utf8(&mut utf8).bytes();
            let escaped: String = bytes.map(|byte| format!("%{byte:02X}")).collect();
            let fault = Fault::new(format!("`{c}` cannot stand in a path"));
            return Err(fault.with_hint(format!("write `{escaped}`")));
        }
    }
    Ok(())
}

/// `rest` is what follows a percent sign.
fn check_escape(rest: &str) -> Result<(), Fault> {
    let digits = rest
        .get(..2)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let Some((digits, byte)) = digits.and_then(|d| Some((d, u8::from_str_radix(d, 16).ok()?)))
    else {
        let fault = Fault::new("`%` is not followed by two hexadecimal digits");
        return Err(fault.with_hint("write `%25` for a percent sign"));
    };
    let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let wanted = if unreserved {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    };
    if wanted == format!("%{digits}") {
        return Ok(());
    }
    let fault = Fault::new(format!(
        "`%{digits}` is not how requests are written once they are admitted"
    ));
    Err(fault.with_hint(format!("write `{wanted}`")))
}

fn distinct_params(segments: &[Segment]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for segment in segments {
        if let Segment::Param(name) = segment
            && !seen.insert(name)
        {
            let fault = Fault::new(format!("the path has two parameters `{{{name}}}`"));
            return Err(fault.with_hint("give them different names"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn segments(text: &str) -> Vec<Segment> {
        let segment = |part: &str| match part.strip_prefix(':') {
            Some(name) => Segment::Param(name.to_owned()),
            None => Segment::Literal(part.to_owned()),
        };
        text.split(' ')
            .filter(|part| !part.is_empty())
            .map(segment)
            .collect()
    }

    #[test]
    fn a_path_is_read_into_segments() {
        let table = [
            ("/", "", false),
            ("/**", "", true),
            ("/a", "a", false),
            ("/a/**", "a", true),
            ("/a/{id}/b", "a :id b", false),
            ("/{a}/{_b2}/**", ":a :_b2", true),
            ("/a.b/~c/d-e_f/@g:h", "a.b ~c d-e_f @g:h", false),
            ("/%20/%C3%A4", "%20 %C3%A4", false),
            ("/...", "...", false),
            ("/a%40b/%2C%3A", "a@b ,:", false),
        ];
        for (text, want, open) in table {
            let path = PathPattern::parse(text).unwrap();
            assert_eq!((path.segments, path.open), (segments(want), open), "{text}");
            assert_eq!(path.text, text);
        }
    }

    #[test]
    fn a_prefix_is_an_open_path() {
        for (prefix, path) in [("/", "/**"), ("/a", "/a/**"), ("/a/{id}", "/a/{id}/**")] {
            let seen = PathPattern::parse_prefix(prefix).unwrap();
            assert_eq!(seen, PathPattern::parse(path).unwrap(), "{prefix}");
        }
    }

    #[test]
    fn the_names_of_parameters_do_not_make_a_shape() {
        let path = |text| PathPattern::parse(text).unwrap();
        assert!(path("/a/{x}").same_shape(&path("/a/{y}")));
        for other in ["/a/b", "/a", "/a/{x}/**", "/{x}/{y}", "/a/{x}/c"] {
            assert!(!path("/a/{x}").same_shape(&path(other)), "{other}");
        }
    }
}
