//! Path templates: `/users/{id}/report.{format}`.

use percent_encoding::percent_decode_str;

use crate::param::decode;

/// A path of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// One name, and what stands around it.
    Named {
        before: String,
        name: String,
        after: String,
    },
}

// === impl Template ===

impl Template {
    pub fn parse(text: &str) -> Result<Template, String> {
        let path = text.strip_prefix('/').ok_or("a path starts with a slash")?;
        path.split('/')
            .map(Segment::parse)
            .collect::<Result<_, _>>()
            .map(Template)
    }

    /// Sorts concrete paths before templated ones, as the specification asks them.
    pub fn rank(&self) -> Vec<bool> {
        self.0
            .iter()
            .map(|segment| matches!(segment, Segment::Named { .. }))
            .collect()
    }

    /// The parameters of a path that fits, decoded.
    pub fn find(&self, path: &str) -> Option<Vec<(String, String)>> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if segments.len() != self.0.len() {
            return None;
        }
        let mut found = Vec::new();
        for (segment, text) in self.0.iter().zip(segments) {
            let text = decode(text, false)?;
            match segment {
                Segment::Literal(literal) => {
                    if *literal != text {
                        return None;
                    }
                }
                Segment::Named {
                    before,
                    name,
                    after,
                } => {
                    let value = text
                        .strip_prefix(before.as_str())?
                        .strip_suffix(after.as_str())?;
                    if value.is_empty() {
                        return None;
                    }
                    found.push((name.clone(), value.to_owned()));
                }
            }
        }
        Some(found)
    }

    /// The parameters of a path that a lenient service may take for one that fits: [`lenient`] has both paths.
    pub fn find_near(&self, base: &str, path: &[String]) -> Option<Vec<(String, String)>> {
        let path = lenient(base)
            .iter()
            .try_fold(path, |rest, own| match rest.split_first() {
                Some((first, rest)) if first.eq_ignore_ascii_case(own) => Some(rest),
                _ => None,
            })?;
        // "/" is one segment without letters.
        let own: Vec<&Segment> = self.0.iter().filter(|s| !s.is_empty()).collect();
        if own.len() != path.len() {
            return None;
        }
        let mut found = Vec::new();
        for (i, (segment, text)) in own.iter().zip(path).enumerate() {
            let last = i + 1 == own.len();
            match segment {
                Segment::Literal(literal) => {
                    let start = text.get(..literal.len())?;
                    let rest = &text[literal.len()..];
                    let ends = rest.is_empty() || (last && rest.starts_with('.'));
                    if !ends || !start.eq_ignore_ascii_case(literal) {
                        return None;
                    }
                }
                Segment::Named {
                    before,
                    name,
                    after,
                } => {
                    let value = text.strip_prefix(before.as_str())?;
                    let value = value.strip_suffix(after.as_str())?;
                    found.push((name.clone(), value.to_owned()));
                }
            }
        }
        Some(found)
    }
}

/// The segments of a path as the most lenient of services reads it: decoded before it is cut, with backslashes for
/// slashes, without empty segments and what follows a `;`, and then without segments of dots.
pub fn lenient(path: &str) -> Vec<String> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    segments
}

// === impl Segment ===

impl Segment {
    fn is_empty(&self) -> bool {
        matches!(self, Segment::Literal(literal) if literal.is_empty())
    }

    fn parse(text: &str) -> Result<Segment, String> {
        let bad = || format!("the segment {text:?} holds more than one {{name}}");
        let Some((before, rest)) = text.split_once('{') else {
            let literal = decode(text, false).filter(|text| !text.contains('}'));
            return literal.map(Segment::Literal).ok_or_else(bad);
        };
        let (name, after) = rest.split_once('}').ok_or_else(bad)?;
        if name.is_empty() || name.contains('{') || after.contains(['{', '}']) {
            return Err(bad());
        }
        Ok(Segment::Named {
            before: before.to_owned(),
            name: name.to_owned(),
            after: after.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_path_fits_its_template() {
        for (template, path, found) in [
            ("/", "/", Some(vec![])),
            ("/a/b", "/a/b", Some(vec![])),
            ("/a/b", "/a/b/", None),
            ("/a b", "/a%20b", Some(vec![])),
            ("/u/{id}", "/u/7", Some(vec![("id", "7")])),
            ("/u/{id}", "/u/a%2Fb", Some(vec![("id", "a/b")])),
            ("/u/{id}", "/u/", None),
            ("/u/{id}", "/u/7/8", None),
            ("/u/{id}", "/u/%zz", None),
            (
                "/r.{f}/{n}",
                "/r.csv/x",
                Some(vec![("f", "csv"), ("n", "x")]),
            ),
            ("/r.{f}", "/s.csv", None),
            ("/{a}.x", "/.x", None),
        ] {
            let got = Template::parse(template).unwrap().find(path);
            let found = found.map(|list| {
                list.iter()
                    .map(|&(n, v): &(&str, &str)| (n.to_owned(), v.to_owned()))
                    .collect::<Vec<_>>()
            });
            assert_eq!(got, found, "{template} {path}");
        }
        for (template, path, found) in [
            ("/users", "/api/users/", true),
            ("/users", "/API//Users", true),
            ("/users", "/api/users;x=1", true),
            ("/users", "/api%2Fusers", true),
            ("/users", "/api/.%2fusers.json", true),
            ("/users/{id}", "/api/users/7/", true),
            ("/users", "/api/x/..;/users", true),
            ("/", "/api", true),
            ("/users", "/api/users2", false),
            ("/users/{id}", "/api/users", false),
            ("/users.json/x", "/api/users/x", false),
        ] {
            let template = Template::parse(template).unwrap();
            let got = template.find_near("/api", &lenient(path));
            assert_eq!(got.is_some(), found, "{template:?} {path}");
        }
        for bad in ["", "a", "/{a}{b}", "/{a", "/a}", "/{}", "/{a{b}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
