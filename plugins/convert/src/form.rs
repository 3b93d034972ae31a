//! `application/x-www-form-urlencoded`: one flat map of text.
//!
//! A name that is there once is a text, one that is there more often a list of texts, in the place of the first.
//! Stricter than browsers: a `%` that is no escape and bytes that are not UTF-8 are errors, not replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;

use form_urlencoded::byte_serialize;
use percent_encoding::percent_decode_str;

use crate::tree::{self, Budget, Members, Mistake, Out, Value};

/// Reads a form.
pub fn read<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Value<'a>, Mistake> {
    let text = tree::utf8(body)?;
    let mut members: Members<'a> = Vec::new();
    let mut places: BTreeMap<Cow<'a, str>, usize> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        budget.value()?;
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, Value::Text(decode(value)?));
        match places.get(&name).and_then(|&place| members.get_mut(place)) {
            Some((_, Value::List(list))) => list.push(value),
            Some((_, first)) => {
                let one = std::mem::replace(first, Value::Null);
                *first = Value::List(vec![one, value]);
            }
            None => {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
    }
    Ok(Value::Map(members))
}

/// Writes a map of scalars and lists of scalars.
pub fn write(value: &Value, out: &mut Out) -> Result<(), Mistake> {
    let Value::Map(members) = value else {
        return Err(Mistake::unwritable("a form is made of an object"));
    };
    let mut first = true;
    for (name, value) in members {
        let values = match value {
            Value::List(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            let text = scalar(value).map_err(|mistake| mistake.under(name))?;
            if !std::mem::take(&mut first) {
                out.push("&")?;
            }
            encode(name, out)?;
            out.push("=")?;
            encode(text, out)?;
        }
    }
    Ok(())
}

fn scalar<'v>(value: &'v Value) -> Result<&'v str, Mistake> {
    match value {
        Value::Text(text) | Value::Number(text) => Ok(text),
        Value::Bool(true) => Ok("true"),
        Value::Bool(false) => Ok("false"),
        Value::Null => Err(Mistake::unwritable(
            "a form has no null; leave the field out",
        )),
        Value::List(_) | Value::Map(_) => Err(Mistake::unwritable("a form holds no nested values")),
    }
}

fn encode(text: &str, out: &mut Out) -> Result<(), Mistake> {
    for part in byte_serialize(text.as_bytes()) {
        out.push(part)?;
    }
    Ok(())
}

fn decode(text: &str) -> Result<Cow<'_, str>, Mistake> {
    let bad = |what: &str| Mistake::malformed(format!("{} {what}", tree::shown(text)));
    let escapes = text.split('%').skip(1);
    let hex = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !escapes.clone().all(hex) {
        return Err(bad("has a % that is no escape"));
    }
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(|text| Cow::Owned(text.into_owned()))
        .map_err(|_| bad("is not UTF-8"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use crate::{Limits, Source, Target, convert};

    fn to_json(form: &str) -> Result<String, String> {
        let json = convert(
            form.as_bytes(),
            Source::Form,
            Target::Json,
            "root",
            Limits::default(),
        );
        json.map(|json| String::from_utf8(json).unwrap())
            .map_err(|mistake| mistake.detail)
    }

    fn of_json(json: &str) -> Result<String, (String, String)> {
        let form = convert(
            json.as_bytes(),
            Source::Json,
            Target::Form,
            "root",
            Limits::default(),
        );
        form.map(|form| String::from_utf8(form).unwrap())
            .map_err(|mistake| (mistake.pointer.unwrap_or_default(), mistake.detail))
    }

    #[test]
    fn a_form_is_a_map_of_text() {
        for (form, json) in [
            ("", "{}"),
            ("a=1", r#"{"a":"1"}"#),
            ("a=1&b=2&a=3&a=", r#"{"a":["1","3",""],"b":"2"}"#),
            ("a&b=", r#"{"a":"","b":""}"#),
            ("&&a=1&", r#"{"a":"1"}"#),
            ("a+b=%2B+%26%3D%25", r#"{"a b":"+ &=%"}"#),
            ("a=b=c", r#"{"a":"b=c"}"#),
            (
                "n=%F0%9F%98%80&m=\u{e4}",
                "{\"n\":\"\u{1f600}\",\"m\":\"\u{e4}\"}",
            ),
        ] {
            assert_eq!(to_json(form), Ok(json.to_owned()), "{form}");
        }
        for form in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=%C3", "a=%+1"] {
            assert!(to_json(form).is_err(), "{form}");
        }
    }

    #[test]
    fn a_flat_object_is_a_form() {
        for (json, form) in [
            ("{}", ""),
            (r#"{"a":1.50,"b":true,"c":"x y"}"#, "a=1.50&b=true&c=x+y"),
            (r#"{"a":["1",2,false],"b":[]}"#, "a=1&a=2&a=false"),
            (r#"{"&":"=+%\u00e4"}"#, "%26=%3D%2B%25%C3%A4"),
        ] {
            assert_eq!(of_json(json), Ok(form.to_owned()), "{json}");
        }
        for (json, pointer) in [
            ("[]", ""),
            ("1", ""),
            (r#"{"a/b":null}"#, "/a~1b"),
            (r#"{"a":{"b":1}}"#, "/a"),
            (r#"{"a":[1,[2]]}"#, "/a"),
        ] {
            assert_eq!(of_json(json).unwrap_err().0, pointer, "{json}");
        }
    }
}
