//! Settings of a plugin: from TOML to JSON text, with the secrets put in their places. The only module that
//! sees secrets; nothing here puts a value into a message.

use std::path::Path;

use serde_json::{Map, Number, Value};
use toml::de::{DeArray, DeFloat, DeInteger, DeTable, DeValue};

use crate::diagnostic::Span;
use crate::fields::{Item, Word};
use crate::mistakes::{Fault, Mistakes};
use crate::plan::{Secret, Settings};

/// TOML bounds the nesting of brackets but not of dotted keys.
const DEEPEST: usize = 64;

/// Where secrets come from.
pub(crate) struct Secrets<'a> {
    /// Paths of files are relative to this.
    pub(crate) dir: &'a Path,
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) mistakes: &'a Mistakes,
}

impl Secrets<'_> {
    /// The table `settings`, or None with every mistake noted.
    pub(crate) fn settings(&self, span: Span, table: &DeTable<'_>) -> Option<Settings> {
        if is_reference(table) {
            let fault = Fault::new("the settings as a whole cannot come from `env` or `file`");
            let hint = "name them one by one: settings = { token = { env = \"TOKEN\" } }";
            self.mistakes.fault(span, fault.with_hint(hint));
            return None;
        }
        let object = self.object(table, 1)?;
        Some(Settings(Value::Object(object).to_string()))
    }

    /// A string of the file, or what `{ env = "…" }` or `{ file = "…" }` stands for.
    pub(crate) fn text(&self, key: &str, item: Item<'_>) -> Option<Secret> {
        let span = item.span().into();
        match item.get_ref() {
            DeValue::String(text) => Some(Secret(text.to_string())),
            DeValue::Table(table) if is_reference(table) => match self.reference(span, table)? {
                Value::String(text) => Some(Secret(text)),
                _ => unreachable!("a reference stands for a string"),
            },
            other => {
                let what = "a string, { env = \"…\" } or { file = \"…\" }";
                self.mistakes
                    .fault(span, Fault::wrong_type(key, what, other));
                None
            }
        }
    }

    fn object(&self, table: &DeTable<'_>, depth: usize) -> Option<Map<String, Value>> {
        let mut object = Map::new();
        let mut whole = true;
        for (key, item) in table {
            match self.value(item, depth) {
                Some(value) => {
                    object.insert(key.get_ref().to_string(), value);
                }
                None => whole = false,
            }
        }
        whole.then_some(object)
    }

    fn array(&self, array: &DeArray<'_>, depth: usize) -> Option<Value> {
        let values: Vec<_> = array.iter().map(|item| self.value(item, depth)).collect();
        values.into_iter().collect::<Option<_>>().map(Value::Array)
    }

    fn value(&self, item: &toml::Spanned<DeValue<'_>>, depth: usize) -> Option<Value> {
        let span = item.span().into();
        if depth > DEEPEST {
            let fault = Fault::new(format!("the settings are nested more than {DEEPEST} deep"));
            return self.mistakes.note(span, Err(fault));
        }
        match item.get_ref() {
            DeValue::String(text) => Some(Value::String(text.to_string())),
            DeValue::Integer(integer) => self.mistakes.note(span, number(integer)),
            DeValue::Float(float) => self.mistakes.note(span, fraction(float)),
            DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
            DeValue::Array(array) => self.array(array, depth + 1),
            DeValue::Table(table) if is_reference(table) => self.reference(span, table),
            DeValue::Table(table) => self.object(table, depth + 1).map(Value::Object),
            DeValue::Datetime(_) => {
                let fault = Fault::new("settings cannot hold a date");
                self.mistakes
                    .note(span, Err(fault.with_hint("put it in quotes")))
            }
        }
    }

    fn reference(&self, span: Span, table: &DeTable<'_>) -> Option<Value> {
        let (source, known) = if table.contains_key("env") {
            ("env", "env, default")
        } else {
            ("file", "file")
        };
        let mut whole = true;
        for key in table.keys() {
            let key_name: &str = key.get_ref();
            if key_name == source || (key_name == "default" && source == "env") {
                continue;
            }
            let fault = Fault::new(format!("`{key_name}` cannot stand beside `{source}`"));
            let hint =
                format!("a table with `{source}` stands for a secret; it may only have: {known}");
            self.mistakes
                .fault(key.span().into(), fault.with_hint(hint));
            whole = false;
        }
        let name = self.word(source, table.get(source)?)?;
        let default = match table.get("default").filter(|_| source == "env") {
            Some(item) => Some(self.word("default", item)?),
            None => None,
        };
        if !whole {
            return None;
        }
        let found = match source {
            "env" => self.variable(name.text, default),
            _ => self.file(name.text),
        };
        self.mistakes.note(span, found).map(Value::String)
    }

    fn word<'a>(&self, key: &str, item: Item<'a>) -> Option<Word<'a>> {
        self.mistakes.note(item.span().into(), Word::of(key, item))
    }

    fn variable(&self, name: &str, default: Option<Word<'_>>) -> Result<String, Fault> {
        let found = (self.env)(name).or_else(|| default.map(|default| default.text.to_owned()));
        found.ok_or_else(|| {
            let fault = Fault::new(format!("the environment has no variable `{name}`"));
            fault.with_hint(format!(
                "set {name}, or write {{ env = \"{name}\", default = \"…\" }}"
            ))
        })
    }

    fn file(&self, name: &str) -> Result<String, Fault> {
        let path = self.dir.join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let reason = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file",
                std::io::ErrorKind::PermissionDenied => "reading it is not permitted",
                std::io::ErrorKind::InvalidData => "it is not UTF-8 text",
                std::io::ErrorKind::IsADirectory => "it is a directory",
                _ => "it cannot be read",
            };
            let fault = Fault::new(format!("the file `{name}` cannot be read: {reason}"));
            fault.with_hint("the path is relative to the directory of gateway.toml")
        })?;
        let trimmed = text.strip_suffix('\n').unwrap_or(&text);
        Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
    }
}

fn is_reference(table: &DeTable<'_>) -> bool {
    table.contains_key("env") || table.contains_key("file")
}

fn number(integer: &DeInteger<'_>) -> Result<Value, Fault> {
    let (text, radix) = (integer.as_str(), integer.radix());
    let small = i64::from_str_radix(text, radix).map(Number::from);
    let number = small.or_else(|_| u64::from_str_radix(text, radix).map(Number::from));
    number
        .map(Value::Number)
        .map_err(|_| Fault::new("the number is too large").with_hint("put it in quotes"))
}

fn fraction(float: &DeFloat<'_>) -> Result<Value, Fault> {
    let number = float.as_str().parse().ok().and_then(Number::from_f64);
    let fault = || Fault::new("settings cannot hold this number: JSON has no way to write it");
    number.map(Value::Number).ok_or_else(fault)
}
