//! JSON, read with bounds: depth and number of values are counted while it is read, and no key is there twice.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::findings::Kind;
use crate::rules::Limits;

/// Reads a body; the error says whether it is no JSON or too much of it.
pub fn parse(body: &[u8], limits: Limits) -> Result<Value, (Kind, String)> {
    let budget = Budget {
        values: Cell::new(limits.values),
        exceeded: Cell::new(false),
        limits,
    };
    let mut source = serde_json::Deserializer::from_slice(body);
    let seed = Bounded {
        budget: &budget,
        depth: limits.depth,
    };
    let value = seed.deserialize(&mut source);
    let value = value.and_then(|value| source.end().map(|()| value));
    value.map_err(|error| {
        let kind = if budget.exceeded.get() {
            Kind::TooLarge
        } else {
            Kind::Unreadable
        };
        (kind, error.to_string())
    })
}

struct Budget {
    values: Cell<u32>,
    exceeded: Cell<bool>,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Bounded<'b> {
    budget: &'b Budget,
    depth: u32,
}

// === impl Bounded ===

impl Bounded<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Bounded { depth, ..self }),
            None => {
                self.budget.exceeded.set(true);
                let most = self.budget.limits.depth;
                Err(E::custom(format_args!("nested deeper than {most}")))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.budget.values.get().checked_sub(1) {
            Some(left) => self.budget.values.set(left),
            None => {
                self.budget.exceeded.set(true);
                let most = self.budget.limits.values;
                return Err(D::Error::custom(format_args!("more than {most} values")));
            }
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, bit: bool) -> Result<Value, E> {
        Ok(bit.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if map.contains_key(&key) {
                let start: String = key.chars().take(60).collect();
                return Err(A::Error::custom(format_args!(
                    "the key {start:?} is there twice"
                )));
            }
            map.insert(key, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        depth: 3,
        values: 6,
        errors: 1,
    };

    #[test]
    fn what_is_in_bounds_is_read_as_it_is() {
        for text in [
            "null",
            "[[[1]]]",
            r#"{"a":{"b":[]},"c":"\u00e4"}"#,
            "[1,-2,1.5,true,\"\"]",
            "18446744073709551615",
        ] {
            let plain: Value = serde_json::from_str(text).expect("the test's JSON is valid");
            assert_eq!(parse(text.as_bytes(), LIMITS), Ok(plain), "{text}");
        }
    }

    #[test]
    fn what_is_not_is_told_apart() {
        for (text, kind) in [
            ("[[[[1]]]]", Kind::TooLarge),
            (r#"{"a":{"a":{"a":{}}}}"#, Kind::TooLarge),
            ("[1,2,3,4,5,6]", Kind::TooLarge),
            (r#"{"a":1,"a":2}"#, Kind::Unreadable),
            (r#"{"a":1,"\u0061":2}"#, Kind::Unreadable),
            ("", Kind::Unreadable),
            ("[1", Kind::Unreadable),
            ("[] []", Kind::Unreadable),
            ("1e400", Kind::Unreadable),
            ("\"\\ud800\"", Kind::Unreadable),
            ("nul", Kind::Unreadable),
        ] {
            let told = parse(text.as_bytes(), LIMITS).map_err(|(kind, _)| kind);
            assert_eq!(told, Err(kind), "{text}");
        }
        let deep = "[".repeat(100_000);
        let told = parse(deep.as_bytes(), LIMITS).map_err(|(kind, _)| kind);
        assert_eq!(told, Err(Kind::TooLarge));
    }
}
