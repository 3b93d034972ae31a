//! Headers, query and path parameters: text that a schema speaks of as values.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::findings::{Findings, Kind, Place};
use crate::schema::{Compiler, Schema};
use crate::settings::ParamSettings;

/// What one parameter must be.
#[derive(Debug)]
pub struct Param {
    pub place: Place,
    pub name: String,
    pub required: bool,
    /// `None`: any text.
    pub schema: Option<Schema>,
    /// Several items stand in one value, with commas between them.
    pub commas: bool,
}

/// A query, decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// Name, and value if it can be decoded.
    pairs: Vec<(String, Option<String>)>,
    /// Names that other readers find where this one finds none: `;` ends a pair for some, others take `name[]` and
    /// `name[key]` for `name`, and PHP folds names.
    elsewhere: Vec<String>,
}

// === from settings ===

/// Headers by name.
pub fn headers(
    place: &str,
    table: &BTreeMap<String, ParamSettings>,
    compiler: &Compiler,
    mistakes: &mut Vec<String>,
) -> Vec<Param> {
    params(place, Place::Header, table, compiler, mistakes)
}

/// Query parameters by name.
pub fn query(
    place: &str,
    table: &BTreeMap<String, ParamSettings>,
    compiler: &Compiler,
    mistakes: &mut Vec<String>,
) -> Vec<Param> {
    params(place, Place::Query, table, compiler, mistakes)
}

fn params(
    at: &str,
    place: Place,
    table: &BTreeMap<String, ParamSettings>,
    compiler: &Compiler,
    mistakes: &mut Vec<String>,
) -> Vec<Param> {
    let mut params = Vec::new();
    for (name, settings) in table {
        let schema = settings
            .schema
            .as_ref()
            .map(|schema| compiler.compile(schema));
        match schema.transpose() {
            Ok(schema) => params.push(Param {
                place,
                name: name.clone(),
                required: settings.required,
                schema,
                commas: place == Place::Header,
            }),
            Err(why) => mistakes.push(format!("{at}.{name}.schema: {why}")),
        }
    }
    params
}

// === impl Param ===

impl Param {
    /// Checks the values that came under its name.
    pub fn check(&self, values: &[String], findings: &mut Findings) {
        let pointer = format!("/{}", self.name.replace('~', "~0").replace('/', "~1"));
        let mut unreadable = |why| findings.add(Kind::Unreadable, self.place, &pointer, why);
        let first = match (values.first(), &self.schema) {
            (None, _) if self.required => return unreadable("it is missing"),
            (None, _) | (Some(_), None) => return,
            (Some(first), Some(_)) => first,
        };
        let Some(schema) = &self.schema else { return };
        let candidates = if schema.list {
            let items: Vec<&str> = if self.commas {
                values
                    .iter()
                    .flat_map(|v| v.split(','))
                    .map(str::trim)
                    .collect()
            } else {
                values.iter().map(String::as_str).collect()
            };
            let read = |item: &&str| scalar(item).unwrap_or_else(|| (*item).into());
            vec![items.iter().map(read).collect(), Value::from(items)]
        } else if values.len() > 1 {
            return unreadable("it is there more than once");
        } else {
            let text = Value::from(first.as_str());
            scalar(first).into_iter().chain([text]).collect()
        };
        if candidates.iter().any(|candidate| schema.holds(candidate)) {
            return;
        }
        // The reading that the schema means is the one whose type is not what is wrong.
        let meant = candidates
            .iter()
            .min_by_key(|candidate| schema.type_errors(candidate));
        if let Some(meant) = meant {
            schema.check(meant, self.place, &pointer, findings);
        }
    }

    /// Its values cannot be told for sure.
    pub fn unreadable(&self, why: &str, findings: &mut Findings) {
        let pointer = format!("/{}", self.name.replace('~', "~0").replace('/', "~1"));
        findings.add(Kind::Unreadable, self.place, &pointer, why);
    }
}

/// What a text means beside itself: a boolean or a number, written as JSON writes it.
fn scalar(text: &str) -> Option<Value> {
    let number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    if number || text == "true" || text == "false" {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}

// === impl Query ===

impl Query {
    /// Of a target. A name that cannot be decoded is nobody's and hides nothing.
    pub fn of(target: &str) -> Query {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut found = Query {
            pairs: Vec::new(),
            elsewhere: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            for (i, other) in pair.split(';').enumerate() {
                let raw = other.split('=').next().unwrap_or_default();
                let Some(other) = decode(raw, true) else {
                    continue;
                };
                let stem = other.split_once('[').map(|(stem, _)| stem.to_owned());
                found.elsewhere.extend(stem);
                found
                    .elsewhere
                    .extend(folded(&other).filter(|folded| *folded != other));
                if i > 0 || raw != name {
                    found.elsewhere.push(other);
                }
            }
            if let Some(name) = decode(name, true) {
                found.pairs.push((name, decode(value, true)));
            }
        }
        found
    }

    /// All values of a name, or why they cannot be told.
    pub fn all(&self, name: &str) -> Result<Vec<String>, &'static str> {
        if self.elsewhere.iter().any(|other| other == name) {
            return Err("it is written in a way that services read differently");
        }
        let values = self.pairs.iter().filter(|(n, _)| n == name);
        let values: Option<_> = values.map(|(_, value)| value.clone()).collect();
        values.ok_or("it is not percent-encoded UTF-8")
    }
}

/// A name as PHP registers the variable: `_` for spaces, dots and a bracket that nothing closes, nothing for spaces
/// before it, and its end at a NUL. `None` where it registers none.
fn folded(name: &str) -> Option<String> {
    let name = name.split('\0').next().unwrap_or_default();
    let name = name.trim_start_matches(' ');
    let (stem, index) = name.split_once('[').unwrap_or((name, ""));
    let whole = if index.contains(']') { stem } else { name };
    (!stem.is_empty()).then(|| whole.replace([' ', '.', '['], "_"))
}

/// Decodes percent-encoding strictly, and `+` as a space in forms.
pub fn decode(text: &str, form: bool) -> Option<String> {
    let escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(escape) {
        return None;
    }
    let text = if form {
        text.replace('+', " ")
    } else {
        text.to_owned()
    };
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::findings::Stop;
    use serde_json::json;

    fn errors(schema: &Value, commas: bool, values: &[&str]) -> Vec<String> {
        let param = Param {
            place: Place::Query,
            name: "a/b".to_owned(),
            required: true,
            schema: Some(Compiler::new(true).compile(schema).unwrap()),
            commas,
        };
        let values: Vec<String> = values.iter().map(|&v| v.to_owned()).collect();
        let mut findings = Findings::new(9);
        param.check(&values, &mut findings);
        let Err(stop @ Stop::Findings(_)) = findings.checked() else {
            return Vec::new();
        };
        let list: Vec<Value> = serde_json::from_str(&stop.told()).unwrap();
        list.iter()
            .map(|e| {
                format!(
                    "{}: {}",
                    e["pointer"].as_str().unwrap(),
                    e["detail"].as_str().unwrap()
                )
            })
            .collect()
    }

    #[test]
    fn a_text_fits_the_type_that_its_schema_names() {
        let int = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
        let flag = json!({ "type": "boolean" });
        let name = json!({ "type": "string", "pattern": "^[0-9a-z]+$", "maxLength": 4 });
        let list = json!({ "$ref": "#/$defs/l", "$defs": { "l": { "type": "array", "items": { "type": "integer" } } } });
        for (schema, commas, values, expected) in [
            (&int, false, &["7"][..], &[][..]),
            (
                &int,
                false,
                &["101"],
                &["/a~1b: value is greater than the maximum of 100"],
            ),
            (
                &int,
                false,
                &["x"],
                &["/a~1b: value is not of type \"integer\""],
            ),
            (
                &int,
                false,
                &[" 7"],
                &["/a~1b: value is not of type \"integer\""],
            ),
            (
                &int,
                false,
                &["7", "7"],
                &["/a~1b: it is there more than once"],
            ),
            (&int, false, &[], &["/a~1b: it is missing"]),
            (&flag, false, &["true"], &[]),
            (
                &flag,
                false,
                &["1"],
                &["/a~1b: value is not of type \"boolean\""],
            ),
            (&name, false, &["1234"], &[]),
            (
                &name,
                false,
                &["12345"],
                &["/a~1b: value is longer than 4 characters"],
            ),
            (&json!({ "enum": ["a", 1] }), false, &["1"], &[]),
            (&json!({ "enum": ["1"] }), false, &["1"], &[]),
            (&list, false, &["1", "2"], &[]),
            (&list, true, &["1, 2", "3"], &[]),
            (
                &list,
                false,
                &["1", "x"],
                &["/a~1b/1: value is not of type \"integer\""],
            ),
        ] {
            assert_eq!(
                errors(schema, commas, values),
                expected,
                "{schema} {values:?}"
            );
        }
    }

    /// PHP reads them as `user_id`.
    #[test]
    fn a_name_that_php_folds_into_a_ruled_one_is_not_another() {
        for query in [
            "user.id=99",
            "user+id=99",
            "user%20id=99",
            "user[id=99",
            "user%5Bid=99",
            "+user_id=99",
            "%20user_id=99",
            "user_id%00=99",
            "user_id%00x=99",
            "user.id[]=99",
            "a;user.id=99",
            "user_id=1&user.id=99",
        ] {
            let query = Query::of(&format!("/x?{query}"));
            assert!(query.all("user_id").is_err(), "{query:?}");
        }
        for query in [
            "user_id=1",
            "user%5Fid=1",
            "userid=9&user-id=9",
            "x.user_id=9",
        ] {
            let query = Query::of(&format!("/x?{query}"));
            assert!(query.all("user_id").is_ok(), "{query:?}");
        }
        // A rule may be for a name that PHP would fold.
        assert_eq!(
            Query::of("/x?user.id=1").all("user.id"),
            Ok(vec!["1".to_owned()])
        );
    }

    #[test]
    fn a_query_is_read_strictly() {
        let query = Query::of("/x?a=1&b=%zz&a=+%2B&%zz=1&c&%61=3");
        assert_eq!(
            query.all("a"),
            Ok(vec!["1".to_owned(), " +".to_owned(), "3".to_owned()])
        );
        assert!(query.all("b").is_err());
        assert_eq!(query.all("c"), Ok(vec![String::new()]));
        assert_eq!(query.all("d"), Ok(Vec::new()));
        assert_eq!(Query::of("/x").all("a"), Ok(Vec::new()));
    }

    #[test]
    fn what_other_readers_find_is_not_passed_over() {
        for (query, name, known) in [
            ("x=1;a=2", "a", false),
            ("x=1;%61=2", "a", false),
            ("a;x=2", "a", false),
            ("a=1;b", "a", true),
            ("x=1;ab=2", "a", true),
            ("a[]=1", "a", false),
            ("a%5B0%5D=1", "a", false),
            ("a[]=1", "a[]", true),
            ("x;y=1", "a", true),
        ] {
            let read = Query::of(&format!("/?{query}")).all(name);
            assert_eq!(read.is_ok(), known, "{query}");
        }
    }
}
