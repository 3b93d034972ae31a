//! A literal as `ast.literal_eval` reads it, as far as JSON can hold it. Stricter: no comments, no parts of a
//! complex number, keys are strings and there once.

use std::borrow::Cow;

use super::{number, text};
use crate::tree::{self, Budget, Mistake, Value};

/// Reads one literal.
pub fn read<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Value<'a>, Mistake> {
    let mut reader = Reader {
        cursor: Cursor::new(tree::utf8(body)?),
        budget,
    };
    reader.blank();
    let value = reader.value()?;
    reader.blank();
    reader.cursor.skip(|c| matches!(c, '\n' | '\r'));
    match reader.cursor.peek() {
        None => Ok(value),
        Some('+' | '-') => Err(reader.cursor.unfit("an expression or a complex number")),
        Some(_) => Err(reader.cursor.malformed("there is more after the value")),
    }
}

/// The text and how far it has been read.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    whole: &'a str,
    rest: &'a str,
}

struct Reader<'a, 'b> {
    cursor: Cursor<'a>,
    budget: &'b mut Budget,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub fn new(whole: &'a str) -> Self {
        Cursor { whole, rest: whole }
    }

    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the next character.
    pub fn take(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let next = letters.next();
        self.rest = letters.as_str();
        next
    }

    /// Takes this text if it is next.
    pub fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes as many characters as fit, and gives them.
    pub fn skip(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Where it stands, for people.
    fn place(&self) -> String {
        let before = &self.whole[..self.whole.len() - self.rest.len()];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        format!("line {line}, column {column}")
    }

    pub fn malformed(&self, what: &str) -> Mistake {
        Mistake::malformed(format!("{}: {what}", self.place()))
    }

    pub fn unfit(&self, what: &str) -> Mistake {
        Mistake::unfit(format!("{}: {what} cannot be converted", self.place()))
    }
}

// === impl Reader ===

impl<'a> Reader<'a, '_> {
    fn value(&mut self) -> Result<Value<'a>, Mistake> {
        self.budget.value()?;
        let start = self.cursor;
        match self.cursor.peek() {
            None => Err(start.malformed("a value is missing")),
            Some('[') => self.nested(Reader::list),
            Some('(') => self.nested(Reader::parenthesised),
            Some('{') => self.nested(|reader| reader.dict(start)),
            Some('\'' | '"') => self.strings(""),
            Some('-' | '+' | '.' | '0'..='9') => number::read(&mut self.cursor),
            Some(c) if c == '_' || c.is_alphabetic() => self.word(start),
            Some(_) => Err(start.malformed("no literal starts here")),
        }
    }

    /// Inside brackets: one level deeper, and line breaks are spaces.
    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value<'a>, Mistake>,
    ) -> Result<Value<'a>, Mistake> {
        self.cursor.take();
        self.budget.enter()?;
        self.blank();
        let value = read(self)?;
        self.budget.leave();
        Ok(value)
    }

    fn blank(&mut self) {
        let lines = !self.budget.outermost();
        self.cursor
            .skip(|c| matches!(c, ' ' | '\t') || lines && matches!(c, '\n' | '\r'));
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.cursor.eat(text);
        if there {
            self.blank();
        }
        there
    }

    fn list(&mut self) -> Result<Value<'a>, Mistake> {
        let mut list = Vec::new();
        while !self.cursor.eat("]") {
            list.push(self.value()?);
            self.blank();
            self.between("]")?;
        }
        Ok(Value::List(list))
    }

    /// A tuple, or a value in parentheses.
    fn parenthesised(&mut self) -> Result<Value<'a>, Mistake> {
        let mut list = Vec::new();
        while !self.cursor.eat(")") {
            list.push(self.value()?);
            self.blank();
            if list.len() == 1 && self.cursor.eat(")") {
                return list
                    .pop()
                    .ok_or_else(|| self.cursor.malformed("a value is missing"));
            }
            self.between(")")?;
        }
        Ok(Value::List(list))
    }

    fn dict(&mut self, start: Cursor<'a>) -> Result<Value<'a>, Mistake> {
        let mut members = Vec::new();
        while !self.cursor.eat("}") {
            let place = self.cursor;
            let key = self.value()?;
            self.blank();
            if members.is_empty() && matches!(self.cursor.peek(), Some(',' | '}')) {
                return Err(start.unfit("a set"));
            }
            if !self.eat(":") {
                return Err(self.cursor.malformed("a colon is missing"));
            }
            let Value::Text(key) = key else {
                return Err(place.unfit("a key that is no string"));
            };
            members.push((key, self.value()?));
            self.blank();
            self.between("}")?;
        }
        tree::map(members)
    }

    /// A comma, or the closing bracket, which stays.
    fn between(&mut self, close: &str) -> Result<(), Mistake> {
        if self.eat(",") || self.cursor.rest().starts_with(close) {
            Ok(())
        } else {
            let what = format!("a comma or {close} is missing");
            Err(self.cursor.malformed(&what))
        }
    }

    /// A constant, or the prefix of a string.
    fn word(&mut self, start: Cursor<'a>) -> Result<Value<'a>, Mistake> {
        let word = self.cursor.skip(|c| c == '_' || c.is_alphanumeric());
        if matches!(self.cursor.peek(), Some('\'' | '"')) {
            return match word.to_ascii_lowercase().as_str() {
                prefix @ ("r" | "u") => self.strings(prefix),
                "b" | "br" | "rb" => Err(start.unfit("a bytes literal")),
                _ => Err(start.malformed(&format!("{} starts no literal", tree::shown(word)))),
            };
        }
        match word {
            "None" => Ok(Value::Null),
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            "inf" | "nan" | "set" => Err(start.unfit(word)),
            _ => Err(start.malformed(&format!("{} is no literal", tree::shown(word)))),
        }
    }

    /// One string, or several beside each other, which are one.
    fn strings(&mut self, prefix: &str) -> Result<Value<'a>, Mistake> {
        let mut whole = text::read(&mut self.cursor, prefix == "r")?;
        loop {
            let before = self.cursor;
            self.blank();
            let start = self.cursor;
            let prefix = self.cursor.skip(|c| c.is_ascii_alphabetic());
            if !matches!(self.cursor.peek(), Some('\'' | '"')) {
                self.cursor = before;
                return Ok(Value::Text(whole));
            }
            let raw = match prefix {
                "" | "u" | "U" => false,
                "r" | "R" => true,
                _ => return Err(start.unfit("a string of another kind beside a string")),
            };
            let more = text::read(&mut self.cursor, raw)?;
            whole = Cow::Owned(whole.into_owned() + &more);
        }
    }
}
