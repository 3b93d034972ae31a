//! JSON to the engine's values and back, without harm to numbers.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{Object, ObjectRepr, ValueKind};

use crate::json::DEEPEST;
use crate::{Json, Trouble};

/// A number that no native type holds: it can be written, not calculated with.
#[derive(Debug)]
struct Exact(Box<str>);

/// Text that is encoded already and goes into a target as it is.
#[derive(Debug)]
pub(crate) struct Encoded(pub(crate) String);

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Object for Encoded {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As the engine sees it.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(members) => Value::from_pairs(
            members
                .iter()
                .map(|(name, value)| (name.as_str(), from_json(value))),
        ),
    }
}

fn from_number(text: &str) -> Value {
    if let Ok(int) = text.parse::<i64>() {
        return Value::from(int);
    }
    if let Ok(int) = text.parse::<i128>() {
        return Value::from(int);
    }
    match text.parse::<f64>() {
        Ok(float) if same(text, float) => Value::from(float),
        _ => Value::from_object(Exact(text.into())),
    }
}

/// Whether the float is exactly the number that was written.
fn same(text: &str, float: f64) -> bool {
    float.is_finite()
        && digits(text).is_some_and(|wanted| digits(&float.to_string()) == Some(wanted))
}

/// `-12.50e1` as its digits and the power of ten of the last one: (true, "125", 0).
fn digits(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_start_matches('0');
    let digits = kept.trim_end_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let cut = i64::try_from(kept.len() - digits.len()).ok()?;
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some((negative, digits.to_owned(), power.checked_add(cut)?))
}

/// Back to JSON. What JSON cannot hold (undefined, NaN, bytes) is an error.
pub fn to_json(value: &Value) -> Result<Json, Trouble> {
    convert(value, 0)
}

fn convert(value: &Value, depth: usize) -> Result<Json, Trouble> {
    if depth > DEEPEST {
        let text = format!("a value is nested more than {DEEPEST} deep");
        return Err(Trouble::Broken(text));
    }
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => to_number(value).map(Json::Number),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?;
            let items: Result<_, _> = items.map(|item| convert(&item, depth + 1)).collect();
            items.map(Json::Array)
        }
        ValueKind::Map => {
            let mut members = IndexMap::new();
            for key in value.try_iter()? {
                let member = value.get_item(&key)?;
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None => key.to_string(),
                };
                members.insert(name, convert(&member, depth + 1)?);
            }
            Ok(Json::Object(members))
        }
        ValueKind::Undefined => Err(Trouble::Missing("a value is not there".to_owned())),
        ValueKind::Plain => match value.downcast_object_ref::<Exact>() {
            Some(exact) => Ok(Json::Number(exact.0.clone())),
            None => Err(no_json("this value")),
        },
        other => Err(no_json(&other.to_string())),
    }
}

fn to_number(value: &Value) -> Result<Box<str>, Trouble> {
    if !value.is_integer() {
        let float = f64::try_from(value.clone()).unwrap_or(f64::NAN);
        return match Json::from(float) {
            Json::Number(text) => Ok(text),
            _ => Err(no_json("an infinite number")),
        };
    }
    i128::try_from(value.clone())
        .map(|int| int.to_string().into())
        .map_err(|_| no_json("an integer of this size"))
}

fn no_json(what: &str) -> Trouble {
    Trouble::Unfit(format!("{what} is no JSON"))
}

/// As text for a path, a header, a query: one line of it, so no list and no table.
pub(crate) fn to_text(value: &Value) -> Result<String, Trouble> {
    match value.kind() {
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => to_number(value).map(String::from),
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::Plain => Ok(value.to_string()),
        ValueKind::Undefined | ValueKind::None => {
            Err(Trouble::Missing("a value is not there".to_owned()))
        }
        other => Err(Trouble::Unfit(format!(
            "a {other} stands where text is wanted; use | join(\",\") or | tojson"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn round(text: &str) -> String {
        let json = Json::parse(text.as_bytes()).unwrap();
        to_json(&from_json(&json)).unwrap().to_string()
    }

    #[test]
    fn numbers_keep_their_value() {
        for (text, wanted) in [
            ("0", "0"),
            ("-1", "-1"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            (
                "123456789012345678901234567890123456789012345",
                "123456789012345678901234567890123456789012345",
            ),
            ("0.1", "0.1"),
            ("12.50", "12.5"),
            (
                "0.1000000000000000055511151231257827",
                "0.1000000000000000055511151231257827",
            ),
            ("1e400", "1e400"),
            ("-0", "0"),
            ("1E5", "100000.0"),
            ("3.141592653589793238462643", "3.141592653589793238462643"),
        ] {
            assert_eq!(round(text), wanted);
        }
    }

    #[test]
    fn members_keep_their_order_and_types() {
        let text = r#"{"z":[true,null,"ä\n"],"a":{"0":{},"b":[]}}"#;
        assert_eq!(round(text), text);
    }

    #[test]
    fn a_list_is_no_text() {
        let list = from_json(&serde_json::json!([1]).into());
        assert!(matches!(to_text(&list), Err(Trouble::Unfit(_))));
        assert_eq!(to_text(&Value::from(1.5)).unwrap(), "1.5");
    }
}
