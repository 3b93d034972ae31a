//! JSON from strangers: bounded, and no name twice (RFC 7515 section 4, RFC 7519 section 4).

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// No honest token is nested deeper.
const DEEPEST: usize = 16;

/// The object that `bytes` are, to the last byte.
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    // Two passes, because a visitor that builds values would depend on how serde_json hands over numbers.
    let mut source = serde_json::Deserializer::from_slice(bytes);
    Strict(0).deserialize(&mut source).ok()?;
    source.end().ok()?;
    match serde_json::from_slice(bytes).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Looks at the shape only; the number is the depth.
#[derive(Clone, Copy)]
struct Strict(usize);

// === impl Strict ===

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Strict, E> {
        if self.0 == DEEPEST {
            return Err(E::custom("nested too deep"));
        }
        Ok(Strict(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while list.next_element_seed(deeper)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("a name is there twice"));
            }
            map.next_value_seed(deeper)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_object_passes() {
        for good in [
            "{}",
            r#"{"a":[1,-1,1.5,null,true,"b",{"a":{}}],"b":1}"#,
            " { } ",
        ] {
            assert!(object(good.as_bytes()).is_some(), "{good}");
        }
        let bad = [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{}{}",
            "{} x",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":1}}"#,
            r#"{"b":[{"a":1,"a":1}]}"#,
            "{'a':1}",
            r#"{"a":01}"#,
            r#"{"a":1,}"#,
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
        ];
        for bad in bad {
            assert!(object(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(DEEPEST - 1).as_bytes()).is_some());
        assert!(object(nested(DEEPEST).as_bytes()).is_none());
        assert!(object(nested(5_000).as_bytes()).is_none());
    }
}
