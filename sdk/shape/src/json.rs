//! JSON as it was written: numbers are text, members keep their order. `serde_json` can do both, but by features that
//! change it for every crate of the build.

use std::fmt::{self, Write};

use indexmap::IndexMap;
use json_event_parser::{JsonEvent, SliceJsonParser};
use portcullis_sdk::serde::de::{MapAccess, SeqAccess, Visitor};
use portcullis_sdk::serde::{Deserialize, Deserializer};

/// Lists in tables in lists.
pub(crate) const DEEPEST: usize = 128;

/// A JSON value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true`, `false`
    Bool(bool),
    /// As it was written.
    Number(Box<str>),
    /// Without its quotes.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// A table.
    Object(IndexMap<String, Json>),
}

/// A list or a table that is not at its end.
enum Open {
    Array(Vec<Json>),
    /// The members, and the name of the one to come.
    Object(IndexMap<String, Json>, String),
}

// === impl Json ===

impl Json {
    /// Parses a whole text; the error says what is wrong and where. Of members with one name the last counts.
    pub fn parse(text: &[u8]) -> Result<Json, String> {
        let mut parser = SliceJsonParser::new(text);
        let mut open: Vec<Open> = Vec::new();
        let mut whole = None;
        loop {
            let value = match parser.parse_next().map_err(|error| error.to_string())? {
                JsonEvent::Eof => return whole.ok_or_else(|| "there is nothing".to_owned()),
                JsonEvent::StartArray => {
                    open.push(Open::Array(Vec::new()));
                    None
                }
                JsonEvent::StartObject => {
                    open.push(Open::Object(IndexMap::new(), String::new()));
                    None
                }
                JsonEvent::ObjectKey(key) => {
                    if let Some(Open::Object(_, name)) = open.last_mut() {
                        *name = key.into_owned();
                    }
                    None
                }
                JsonEvent::EndArray | JsonEvent::EndObject => open.pop().map(Open::close),
                JsonEvent::String(text) => Some(Json::String(text.into_owned())),
                JsonEvent::Number(text) => Some(Json::Number(text.into())),
                JsonEvent::Boolean(flag) => Some(Json::Bool(flag)),
                JsonEvent::Null => Some(Json::Null),
            };
            if open.len() > DEEPEST {
                return Err(format!("it is nested more than {DEEPEST} deep"));
            }
            match (value, open.last_mut()) {
                (Some(value), Some(into)) => into.add(value),
                (Some(value), None) => whole = Some(value),
                (None, _) => {}
            }
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        *self == Json::Null
    }

    /// The integer, when it is one that fits.
    pub fn as_u16(&self) -> Option<u16> {
        match self {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl Open {
    fn add(&mut self, value: Json) {
        match self {
            Open::Array(items) => items.push(value),
            Open::Object(members, name) => drop(members.insert(std::mem::take(name), value)),
        }
    }

    fn close(self) -> Json {
        match self {
            Open::Array(items) => Json::Array(items),
            Open::Object(members, _) => Json::Object(members),
        }
    }
}

/// As JSON text, without spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(flag) => write!(f, "{flag}"),
            Json::Number(text) => f.write_str(text),
            Json::String(text) => quote(text, f),
            Json::Array(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at > 0 { "," } else { "" })?;
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    f.write_str(if at > 0 { "," } else { "" })?;
                    quote(name, f)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

/// RFC 8259 section 7.
fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        f.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            other => write!(f, "\\u{other:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    f.write_str(rest)?;
    f.write_char('"')
}

/// A float that is none (NaN, infinite) is null, as in serde_json.
impl From<f64> for Json {
    fn from(float: f64) -> Json {
        serde_json::Number::from_f64(float)
            .map_or(Json::Null, |n| Json::Number(n.to_string().into()))
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        Json::parse(value.to_string().as_bytes()).unwrap_or_default()
    }
}

// === from settings ===

struct Any;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Json, E> {
        Ok(Json::Number(int.to_string().into()))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Json, E> {
        Ok(Json::Number(int.to_string().into()))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Json, E> {
        Ok(Json::from(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = IndexMap::new();
        while let Some((name, value)) = map.next_entry()? {
            members.insert(name, value);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in [
            "null",
            "[]",
            "{}",
            "1.50",
            "-0",
            "1E400",
            "[1,2.0,true,false]",
            r#"{"b":{"a":[]},"a":"\u0001\"\\ä\n"}"#,
            "123456789012345678901234567890.10",
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(
            Json::parse(br#" {"a":1,"b":2,"a":3} "#)
                .unwrap()
                .to_string(),
            r#"{"a":3,"b":2}"#
        );
        assert_eq!(
            Json::parse(br#""\ud83d\ude00\/""#).unwrap(),
            Json::String("😀/".to_owned())
        );
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(DEEPEST + 1);
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "01",
            "1.",
            "+1",
            "nul",
            "1 2",
            "'a'",
            "{a:1}",
            "\"\u{1}\"",
            "NaN",
            &deep,
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn settings_are_json() {
        let json: Json = serde_json::from_str(r#"{"a":[1,-2,1.5,null,true,"x"]}"#).unwrap();
        assert_eq!(json.to_string(), r#"{"a":[1,-2,1.5,null,true,"x"]}"#);
    }
}
