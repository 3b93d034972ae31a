//! Paths of routes: `/a` is exact, `/a/{id}` has a parameter, `/a/**` is open.

use std::collections::BTreeSet;

use crate::mistakes::Fault;
use crate::plan::{PathPattern, Segment};

/// What a path may hold besides letters and digits (pchar of RFC 3986 section 3.3, without `*`).
const SYMBOLS: &str = "-._~!$&'()+,;=:@";

impl PathPattern {
    /// The value of `path`.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let Some(rest) = text.strip_prefix('/') else {
            let fault = Fault::new(format!("the path `{text}` does not begin with `/`"));
            return Err(fault.with_hint(format!("write \"/{text}\"")));
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
        Ok(Self::Literal(text.to_owned()))
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
            let fault = Fault::new(format!("`{}` cannot stand in a path", c.escape_debug()));
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
