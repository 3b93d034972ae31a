//! JSON Pointer (RFC 6901).

use std::fmt;

use indexmap::IndexMap;

use crate::Json;
use crate::json::DEEPEST;

/// `/items/0/name`, parsed. The empty pointer is the whole document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

/// Why nothing can be put at a pointer: what stands there is no table or list, or the list is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing;

impl Pointer {
    /// Parses it; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Pointer, String> {
        if text.is_empty() {
            return Ok(Pointer(Vec::new()));
        }
        let rest = text
            .strip_prefix('/')
            .ok_or_else(|| format!("{text:?} is no JSON Pointer; it starts with a slash"))?;
        if rest.split('/').count() > DEEPEST {
            return Err(format!("it goes more than {DEEPEST} deep"));
        }
        rest.split('/')
            .map(unescape)
            .collect::<Option<_>>()
            .map(Pointer)
            .ok_or_else(|| {
                format!("{text:?} is no JSON Pointer; ~ is written ~0 and / is written ~1")
            })
    }

    /// Outer before inner, and a list's items by their numbers.
    pub fn order(&self) -> impl Ord + use<> {
        let name = |name: &String| (index(name), name.clone());
        (self.0.len(), self.0.iter().map(name).collect::<Vec<_>>())
    }

    /// The names, outermost first.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether `other` lies inside of what this points at, or is the same.
    pub fn covers(&self, other: &Pointer) -> bool {
        other.0.starts_with(&self.0)
    }

    /// What it points at.
    pub fn get<'j>(&self, document: &'j Json) -> Option<&'j Json> {
        self.0.iter().try_fold(document, |at, name| match at {
            Json::Object(members) => members.get(name),
            Json::Array(items) => items.get(index(name)?),
            _ => None,
        })
    }

    fn parent<'j>(&self, document: &'j mut Json) -> Option<(&'j mut Json, &str)> {
        let (last, parents) = self.0.split_last()?;
        let parent = parents.iter().try_fold(document, |at, name| match at {
            Json::Object(members) => members.get_mut(name),
            Json::Array(items) => items.get_mut(index(name)?),
            _ => None,
        })?;
        Some((parent, last))
    }

    /// Takes it out; the members around it keep their order. The whole document leaves null.
    pub fn take(&self, document: &mut Json) -> Option<Json> {
        if self.0.is_empty() {
            return Some(std::mem::take(document));
        }
        match self.parent(document)? {
            (Json::Object(members), name) => members.shift_remove(name),
            (Json::Array(items), name) => {
                let at = index(name).filter(|at| *at < items.len())?;
                Some(items.remove(at))
            }
            _ => None,
        }
    }

    /// Gives the member another name, in its place; a member that has that name already is replaced.
    pub fn rename(&self, document: &mut Json, to: &str) {
        let Some((Json::Object(members), from)) = self.parent(document) else {
            return;
        };
        if from == to || !members.contains_key(from) {
            return;
        }
        let from = from.to_owned();
        *members = std::mem::take(members)
            .into_iter()
            .filter(|(name, _)| name != to)
            .map(|(name, value)| {
                if name == from {
                    (to.to_owned(), value)
                } else {
                    (name, value)
                }
            })
            .collect();
    }

    /// Puts a value there. Tables on the way are made; `-` and the length of a list append to it.
    pub fn put(&self, document: &mut Json, value: Json) -> Result<(), Missing> {
        let mut at = document;
        for name in &self.0 {
            if at.is_null() {
                *at = Json::Object(IndexMap::new());
            }
            at = match at {
                Json::Object(members) => members.entry(name.clone()).or_insert(Json::Null),
                Json::Array(items) => {
                    let place = if name == "-" {
                        Some(items.len())
                    } else {
                        index(name)
                    };
                    let place = place.filter(|place| *place <= items.len()).ok_or(Missing)?;
                    if place == items.len() {
                        items.push(Json::Null);
                    }
                    items.get_mut(place).ok_or(Missing)?
                }
                _ => return Err(Missing),
            };
        }
        *at = value;
        Ok(())
    }
}

/// As it was written.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescape(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

/// RFC 6901 section 4: digits without leading zeros.
pub(crate) fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with(['0', '+']);
    name.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// Of serde_json's.
    macro_rules! json {
        ($($json:tt)+) => {
            Json::from(serde_json::json!($($json)+))
        };
    }

    fn at(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
            " ": 7, "m~n": 8
        });
        for (text, wanted) in [
            ("", document.clone()),
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(at(text).get(&document), Some(&wanted), "{text}");
        }
        for text in ["/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/none", "/ /x"] {
            assert_eq!(at(text).get(&document), None, "{text}");
        }
        for text in ["foo", "/~", "/~2", "#/foo"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_put_taken_and_renamed() {
        let mut document = Json::parse(br#"{"a":1,"b":{"c":[1,2]},"d":3}"#).unwrap();
        at("/b/c/-").put(&mut document, json!(3)).unwrap();
        at("/x/y").put(&mut document, json!(true)).unwrap();
        at("/b/c/0").put(&mut document, json!(0)).unwrap();
        at("/a").rename(&mut document, "z");
        at("/none").rename(&mut document, "z");
        assert_eq!(
            document.to_string(),
            r#"{"z":1,"b":{"c":[0,2,3]},"d":3,"x":{"y":true}}"#
        );
        assert_eq!(at("/b/c/1").take(&mut document), Some(json!(2)));
        assert_eq!(at("/b/c/9").take(&mut document), None);
        assert_eq!(at("/z").take(&mut document), Some(json!(1)));
        at("/d").rename(&mut document, "x");
        assert_eq!(document.to_string(), r#"{"b":{"c":[0,3]},"x":3}"#);
        assert_eq!(at("/x/y").put(&mut document, json!(1)), Err(Missing));
        assert_eq!(at("/b/c/7").put(&mut document, json!(1)), Err(Missing));
    }
}
