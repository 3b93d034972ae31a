//! JSON (RFC 8259).

use std::borrow::Cow;

use json_event_parser::{JsonEvent, SliceJsonParser, WriterJsonSerializer};

use crate::tree::{self, Budget, Mistake, Out, Value};

/// Reads a document: strict, UTF-8, no key twice, no lone surrogate.
pub fn read<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Value<'a>, Mistake> {
    let mut reader = Reader {
        parser: SliceJsonParser::new(tree::utf8(body)?.as_bytes()),
        budget,
    };
    let first = reader.next()?;
    let value = reader.value(first)?;
    match reader.next()? {
        JsonEvent::Eof => Ok(value),
        _ => Err(Mistake::malformed("there is more than one JSON value")),
    }
}

/// Writes a document without spaces.
pub fn write(value: &Value, out: &mut Out) -> Result<(), Mistake> {
    let mut writer = WriterJsonSerializer::new(out);
    put(value, &mut writer)
}

struct Reader<'a, 'b> {
    parser: SliceJsonParser<'a>,
    budget: &'b mut Budget,
}

// === impl Reader ===

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<JsonEvent<'a>, Mistake> {
        self.parser.parse_next().map_err(|error| {
            let at = error.location().start;
            let (line, column) = (at.line + 1, at.column + 1);
            let what = error.message();
            Mistake::malformed(format!("line {line}, column {column}: {what}"))
        })
    }

    fn value(&mut self, event: JsonEvent<'a>) -> Result<Value<'a>, Mistake> {
        self.budget.value()?;
        match event {
            JsonEvent::Null => Ok(Value::Null),
            JsonEvent::Boolean(bit) => Ok(Value::Bool(bit)),
            JsonEvent::Number(text) => Ok(Value::Number(text)),
            JsonEvent::String(text) => Ok(Value::Text(text)),
            JsonEvent::StartArray => {
                self.budget.enter()?;
                let list = self.list()?;
                self.budget.leave();
                Ok(Value::List(list))
            }
            JsonEvent::StartObject => {
                self.budget.enter()?;
                let map = self.map()?;
                self.budget.leave();
                Ok(map)
            }
            JsonEvent::Eof => Err(Mistake::malformed("the body ends where a value should be")),
            JsonEvent::EndArray | JsonEvent::EndObject | JsonEvent::ObjectKey(_) => {
                Err(Mistake::malformed("a value is missing"))
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Value<'a>>, Mistake> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                JsonEvent::EndArray => return Ok(list),
                event => list.push(self.value(event)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value<'a>, Mistake> {
        let mut members = Vec::new();
        loop {
            match self.next()? {
                JsonEvent::ObjectKey(key) => {
                    let event = self.next()?;
                    members.push((key, self.value(event)?));
                }
                _ => return tree::map(members),
            }
        }
    }
}

fn put(value: &Value, writer: &mut WriterJsonSerializer<&mut Out>) -> Result<(), Mistake> {
    match value {
        Value::Null => writer.serialize_event(JsonEvent::Null)?,
        Value::Bool(bit) => writer.serialize_event(JsonEvent::Boolean(*bit))?,
        Value::Number(text) => {
            writer.serialize_event(JsonEvent::Number(Cow::Borrowed(text)))?;
        }
        Value::Text(text) => writer.serialize_event(JsonEvent::String(Cow::Borrowed(text)))?,
        Value::List(list) => {
            writer.serialize_event(JsonEvent::StartArray)?;
            for value in list {
                put(value, writer)?;
            }
            writer.serialize_event(JsonEvent::EndArray)?;
        }
        Value::Map(members) => {
            writer.serialize_event(JsonEvent::StartObject)?;
            for (key, value) in members {
                writer.serialize_event(JsonEvent::ObjectKey(Cow::Borrowed(key)))?;
                put(value, writer)?;
            }
            writer.serialize_event(JsonEvent::EndObject)?;
        }
    }
    Ok(())
}
