//! Path templates: `/users/{id}/report.{format}`.

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
}

// === impl Segment ===

impl Segment {
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
        for bad in ["", "a", "/{a}{b}", "/{a", "/a}", "/{}", "/{a{b}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
