//! MessagePack (the specification at github.com/msgpack/msgpack, without extensions and binary).

use std::borrow::Cow;

use rmp::Marker;
use rmp::decode::{self, DecodeStringError};
use rmp::encode;

use crate::tree::{self, Budget, Mistake, Out, Value};

/// Reads one value; nothing may follow it.
pub fn read<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Value<'a>, Mistake> {
    let mut reader = Reader {
        rest: body,
        whole: body.len(),
        budget,
    };
    let value = reader.value()?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(reader.malformed("there is more after the value"))
    }
}

/// Writes one value, each number in its shortest form.
pub fn write(value: &Value, out: &mut Out) -> Result<(), Mistake> {
    match value {
        Value::Null => encode::write_nil(out)?,
        Value::Bool(bit) => encode::write_bool(out, *bit)?,
        Value::Number(text) => number(text, out)?,
        Value::Text(text) => encode::write_str(out, text).map_err(full)?,
        Value::List(list) => {
            encode::write_array_len(out, length(list.len())?).map_err(full)?;
            for (i, value) in list.iter().enumerate() {
                write(value, out).map_err(|mistake| mistake.under(i.to_string()))?;
            }
        }
        Value::Map(members) => {
            encode::write_map_len(out, length(members.len())?).map_err(full)?;
            for (key, value) in members {
                encode::write_str(out, key).map_err(full)?;
                write(value, out).map_err(|mistake| mistake.under(key))?;
            }
        }
    }
    Ok(())
}

struct Reader<'a, 'b> {
    rest: &'a [u8],
    whole: usize,
    budget: &'b mut Budget,
}

// === impl Reader ===

impl<'a> Reader<'a, '_> {
    fn value(&mut self) -> Result<Value<'a>, Mistake> {
        self.budget.value()?;
        let marker = match self.rest.first() {
            Some(&byte) => Marker::from_u8(byte),
            None => return Err(self.ends()),
        };
        match marker {
            Marker::Null | Marker::True | Marker::False => {
                self.rest = &self.rest[1..];
                Ok(match marker {
                    Marker::Null => Value::Null,
                    other => Value::Bool(other == Marker::True),
                })
            }
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::U64
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64 => {
                let whole: i128 = decode::read_int(&mut self.rest).map_err(|_| self.ends())?;
                Ok(Value::Number(whole.to_string().into()))
            }
            Marker::F32 => {
                let float = decode::read_f32(&mut self.rest).map_err(|_| self.ends())?;
                self.float(float.into())
            }
            Marker::F64 => {
                let float = decode::read_f64(&mut self.rest).map_err(|_| self.ends())?;
                self.float(float)
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.text().map(Value::Text)
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => self.list(),
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => self.map(),
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => Err(self.unfit("binary data")),
            Marker::Reserved => Err(self.malformed("the byte 0xc1 starts nothing")),
            _ => Err(self.unfit("an extension type")),
        }
    }

    /// The shortest text that reads as the same number.
    fn float(&self, float: f64) -> Result<Value<'a>, Mistake> {
        if float.is_finite() {
            Ok(Value::Number(format!("{float:?}").into()))
        } else {
            Err(self.unfit("a float that is no number"))
        }
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Mistake> {
        match decode::read_str_from_slice(self.rest) {
            Ok((text, rest)) => {
                self.rest = rest;
                Ok(Cow::Borrowed(text))
            }
            Err(DecodeStringError::InvalidUtf8(..)) => Err(self.malformed("a string is not UTF-8")),
            Err(DecodeStringError::TypeMismatch(_)) => Err(self.unfit("a key that is no string")),
            Err(_) => Err(self.ends()),
        }
    }

    /// The length is what the sender claims: nothing is reserved for it.
    fn list(&mut self) -> Result<Value<'a>, Mistake> {
        let length = decode::read_array_len(&mut self.rest).map_err(|_| self.ends())?;
        self.budget.enter()?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(self.value()?);
        }
        self.budget.leave();
        Ok(Value::List(list))
    }

    fn map(&mut self) -> Result<Value<'a>, Mistake> {
        let length = decode::read_map_len(&mut self.rest).map_err(|_| self.ends())?;
        self.budget.enter()?;
        let mut members = Vec::new();
        for _ in 0..length {
            members.push((self.text()?, self.value()?));
        }
        self.budget.leave();
        tree::map(members)
    }

    fn place(&self) -> usize {
        self.whole - self.rest.len() + 1
    }

    fn malformed(&self, what: &str) -> Mistake {
        Mistake::malformed(format!("byte {}: {what}", self.place()))
    }

    fn unfit(&self, what: &str) -> Mistake {
        Mistake::unfit(format!("byte {}: {what} cannot be converted", self.place()))
    }

    fn ends(&self) -> Mistake {
        self.malformed("the body ends too early")
    }
}

// === writing ===

/// A whole number must fit 64 bits; a fraction becomes the nearest double, as for every reader of JSON.
fn number(text: &str, out: &mut Out) -> Result<(), Mistake> {
    if text.contains(['.', 'e', 'E']) {
        return match text.parse::<f64>() {
            Ok(float) if float.is_finite() => encode::write_f64(out, float).map_err(full),
            _ => Err(Mistake::unwritable("the number is larger than a double")),
        };
    }
    if let Ok(whole) = text.parse::<u64>() {
        return encode::write_uint(out, whole).map(drop).map_err(full);
    }
    match text.parse::<i64>() {
        Ok(whole) => encode::write_sint(out, whole).map(drop).map_err(full),
        Err(_) => Err(Mistake::unwritable("the integer does not fit 64 bits")),
    }
}

fn length(length: usize) -> Result<u32, Mistake> {
    u32::try_from(length).map_err(|_| Mistake::too_large("too many values in one list"))
}

fn full<E>(_: E) -> Mistake {
    Mistake::too_large("the converted body would be too large")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use crate::tree::Kind;
    use crate::{Limits, Source, Target, convert};

    fn back(bytes: &[u8]) -> Result<String, Kind> {
        let json = convert(bytes, Source::Msgpack, Target::Json, "", Limits::default());
        json.map(|json| String::from_utf8(json).unwrap())
            .map_err(|mistake| mistake.kind)
    }

    fn pack(json: &str) -> Result<Vec<u8>, Kind> {
        let limits = Limits::default();
        convert(json.as_bytes(), Source::Json, Target::Msgpack, "", limits).map_err(|m| m.kind)
    }

    #[test]
    fn what_fits_comes_back_as_it_was() {
        for json in [
            "null",
            "true",
            "[]",
            "{}",
            "0",
            "-1",
            "127",
            "128",
            "-32",
            "-33",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "-0.0",
            "1e+300",
            "5e-324",
            r#"{"b":[1,"x",{"a":null}],"a":""}"#,
        ] {
            let same = back(&pack(json).unwrap());
            assert_eq!(same, Ok(json.replace("e+", "e")), "{json}");
        }
        assert_eq!(pack("-0"), Ok(vec![0]));
        assert_eq!(
            pack("[256,-129]"),
            Ok(vec![0x92, 0xcd, 1, 0, 0xd1, 0xff, 0x7f])
        );
    }

    #[test]
    fn no_number_is_damaged() {
        for json in [
            "18446744073709551616",
            "-9223372036854775809",
            "1e400",
            "-1e999999",
        ] {
            assert_eq!(pack(json), Err(Kind::Unfit), "{json}");
        }
        // The nearest single to 0.1, told as the double it is.
        assert_eq!(
            back(&[0xca, 0x3d, 0xcc, 0xcc, 0xcd]),
            Ok("0.10000000149011612".to_owned())
        );
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        for (bytes, kind) in [
            (&[0xc4, 1, 0][..], Kind::Unfit),                         // binary
            (&[0xd4, 1, 0], Kind::Unfit),                             // extension
            (&[0xca, 0x7f, 0xc0, 0, 0], Kind::Unfit),                 // NaN
            (&[0x81, 1, 1], Kind::Unfit),                             // a key that is a number
            (&[0x82, 0xa1, b'a', 1, 0xa1, b'a', 2], Kind::Malformed), // a key twice
            (&[0xa1, 0xff], Kind::Malformed),                         // no UTF-8
            (&[0xc1], Kind::Malformed),
            (&[], Kind::Malformed),
            (&[1, 1], Kind::Malformed), // two values
            (&[0xdd, 0xff, 0xff, 0xff, 0xff], Kind::Malformed), // claims four billion
            (&[0xcf, 0], Kind::Malformed),
            (&[0xd9, 9, b'a'], Kind::Malformed),
        ] {
            assert_eq!(back(bytes), Err(kind), "{bytes:02x?}");
        }
        assert_eq!(back(&[0x91; 100]), Err(Kind::TooLarge));
    }
}
