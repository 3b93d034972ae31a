//! Path and query with places: a value fills its segment, or its parameter, and nothing else.

use minijinja::Value;

use crate::text::{Part, Place};
use crate::{Text, Trouble, Uses};

/// Compiled: `/users/{caller.id}?page={query.page}`.
#[derive(Debug, Default)]
pub struct Target {
    path: Vec<Part>,
    query: Option<Vec<Part>>,
    uses: Uses,
}

impl Target {
    /// From a text; every mistake is appended.
    pub(crate) fn new(text: Text, mistakes: &mut Vec<String>) -> Target {
        let mut target = Target {
            uses: text.uses,
            ..Target::default()
        };
        for part in text.parts {
            match (part, &mut target.query) {
                (part, Some(query)) => query.push(part),
                (Part::Literal(literal), None) => match literal.split_once('?') {
                    Some((path, query)) => {
                        target.path.push(Part::Literal(path.to_owned()));
                        target.query = Some(vec![Part::Literal(query.to_owned())]);
                    }
                    None => target.path.push(Part::Literal(literal)),
                },
                (part, None) => target.path.push(part),
            }
        }
        target.check(mistakes);
        target
    }

    fn check(&self, mistakes: &mut Vec<String>) {
        let slash = match self.path.first() {
            Some(Part::Literal(literal)) => literal.starts_with('/'),
            first => first.is_some(), // a value: seen when it is there
        };
        if !slash {
            mistakes.push("the path starts with a slash".to_owned());
        }
        let query = self.query.iter().flatten();
        for part in self.path.iter().chain(query) {
            let Part::Literal(literal) = part else {
                continue;
            };
            let bad = |c: char| !c.is_ascii_graphic() || "#\\\"<>^`|".contains(c);
            if let Some(c) = literal.chars().find(|c| bad(*c)) {
                let mut utf8 = [0; 4];
                let written = encode(c.encode_utf8(&mut utf8));
                mistakes.push(format!("{c:?} is in no target as it is; write {written}"));
            }
        }
    }

    /// What it takes from the exchange.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// The path, and the query if the text has one; both encoded.
    pub fn fill(&self, scope: &Value) -> Result<(String, Option<String>), Trouble> {
        let mut path = String::new();
        for part in &self.path {
            match part {
                Part::Literal(literal) => path.push_str(literal),
                Part::Value(place) => path.push_str(&segment(place, scope)?),
            }
        }
        if !path.starts_with('/') || path.split('/').any(is_dots) {
            let text = "the path has no leading slash, or a segment of dots";
            return Err(Trouble::Unfit(text.to_owned()));
        }
        let Some(parts) = &self.query else {
            return Ok((path, None));
        };
        let mut query = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => query.push_str(literal),
                Part::Value(place) => query.push_str(&place.encoded(scope)?),
            }
        }
        Ok((path, Some(query)))
    }
}

/// An empty value would make `/users/{id}` the list of all users.
fn segment(place: &Place, scope: &Value) -> Result<String, Trouble> {
    let text = place.encoded(scope)?;
    if text.is_empty() {
        Err(place.unfit("an empty value stands in a path"))
    } else {
        Ok(text)
    }
}

/// `.` and `..`, encoded or not, alone or beside an encoded slash: encoding does not help against servers that decode
/// first.
fn is_dots(segment: &str) -> bool {
    let dots = |text: &str| text == "." || text == "..";
    decode(segment, false).is_some_and(|text| text.split(['/', '\\']).any(dots))
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit =
                |n: u8| char::from_digit(n.into(), 16).map_or('0', |c| c.to_ascii_uppercase());
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// Decodes once; `None` for a bad escape or bytes that are not UTF-8. `plus`: `+` is a space.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' if plus => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
