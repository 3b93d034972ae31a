//! One line with places: `user {caller.id}`, `{user#/name/first}`.

use std::collections::HashSet;

use minijinja::value::ValueKind;
use minijinja::{Expression, Value};

use crate::engine::shared;
use crate::pointer::index;
use crate::trouble::told;
use crate::value::{Encoded, to_text};
use crate::words::{Word, until, words};
use crate::{Pointer, Roots, Trouble, Uses};

/// Compiled.
#[derive(Debug, Default)]
pub struct Text {
    pub(crate) parts: Vec<Part>,
    pub(crate) uses: Uses,
}

#[derive(Debug)]
pub(crate) enum Part {
    Literal(String),
    Value(Place),
}

/// What stands between two braces.
#[derive(Debug)]
pub(crate) struct Place {
    source: String,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Of the engine.
    Expression(Expression<'static, 'static>),
    /// `user#/name/first`.
    Pointed(String, Pointer),
}

// === impl Text ===

impl Text {
    /// Parses it; every mistake is appended.
    pub(crate) fn parse(source: &str, roots: &Roots, mistakes: &mut Vec<String>) -> Text {
        let mut text = Text::default();
        let mut rest = source;
        while let Some(start) = rest.find(['{', '}']) {
            text.literal(&rest[..start]);
            if rest[start..].starts_with('}') {
                mistakes.push("a `}` ends no place; as a character it is {'}'}".to_owned());
                return text;
            }
            if rest[start..].starts_with("{{") {
                mistakes.push(
                    "a place has one brace: {caller.id}; as a character it is {'{'}".to_owned(),
                );
                return text;
            }
            let inside = &rest[start + 1..];
            let end = until(inside, "}");
            if end == inside.len() {
                mistakes.push("a `{` starts a place that does not end".to_owned());
                return text;
            }
            text.place(&inside[..end], roots, mistakes);
            rest = &inside[end + 1..];
        }
        text.literal(rest);
        text
    }

    fn literal(&mut self, literal: &str) {
        if !literal.is_empty() {
            self.parts.push(Part::Literal(literal.to_owned()));
        }
    }

    fn place(&mut self, source: &str, roots: &Roots, mistakes: &mut Vec<String>) {
        match Place::parse(source.trim(), roots, mistakes) {
            Ok((place, uses)) => {
                self.uses.add(&uses);
                self.parts.push(Part::Value(place));
            }
            Err(why) => mistakes.push(format!("{{{source}}}: {why}")),
        }
    }

    /// What it takes from the exchange.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// The whole text, when it has no places.
    pub fn literal_only(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// With its places filled.
    pub fn fill(&self, scope: &Value) -> Result<String, Trouble> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(place) => out.push_str(&place.text(scope)?),
            }
        }
        Ok(out)
    }

    /// The same; a place that is the whole text and gives `none` makes no text at all.
    pub fn fill_or_none(&self, scope: &Value) -> Result<Option<String>, Trouble> {
        if let [Part::Value(place)] = self.parts.as_slice() {
            let value = place.value(scope)?;
            return if value.is_none() {
                Ok(None)
            } else {
                to_text(&value)
                    .map(Some)
                    .map_err(|trouble| place.at(trouble))
            };
        }
        self.fill(scope).map(Some)
    }
}

// === impl Place ===

impl Place {
    fn parse(
        source: &str,
        roots: &Roots,
        mistakes: &mut Vec<String>,
    ) -> Result<(Place, Uses), String> {
        let mut found = Vec::new();
        let (what, uses) = match pointed(source) {
            Some((root, pointer)) => {
                let pointer = Pointer::parse(pointer)?;
                let mut nested = root.to_owned();
                // `caller#/claims/x` takes what `caller.claims.x` takes.
                pointer.names().iter().for_each(|name| {
                    nested.push('.');
                    nested.push_str(name);
                });
                let uses = roots.uses(&HashSet::from([nested]), &[], &mut found);
                (What::Pointed(root.to_owned(), pointer), uses)
            }
            None => {
                let expression = shared()
                    .compile_expression_owned(source.to_owned())
                    .map_err(|error| told(&error))?;
                let nested = expression.undeclared_variables(true);
                let uses = roots.uses(&nested, &words(source), &mut found);
                (What::Expression(expression), uses)
            }
        };
        mistakes.extend(found.into_iter().map(|why| format!("{{{source}}}: {why}")));
        let source = source.to_owned();
        Ok((Place { source, what }, uses))
    }

    fn at(&self, trouble: Trouble) -> Trouble {
        trouble.at(&format!("{{{}}}", self.source))
    }

    /// What it stands for; a value that is not there is an error.
    pub(crate) fn value(&self, scope: &Value) -> Result<Value, Trouble> {
        let value = match &self.what {
            What::Expression(expression) => expression
                .eval(scope.clone())
                .map_err(|error| self.at(error.into()))?,
            What::Pointed(root, pointer) => {
                let root = scope.get_attr(root).unwrap_or_default();
                pointer
                    .names()
                    .iter()
                    .fold(root, |at, name| step(&at, name))
            }
        };
        if value.is_undefined() {
            Err(self.at(Trouble::Missing("a value is not there".to_owned())))
        } else {
            Ok(value)
        }
    }

    /// As text.
    pub(crate) fn text(&self, scope: &Value) -> Result<String, Trouble> {
        to_text(&self.value(scope)?).map_err(|trouble| self.at(trouble))
    }

    /// As a piece of a target: encoded, unless a filter did so.
    pub(crate) fn encoded(&self, scope: &Value) -> Result<String, Trouble> {
        let value = self.value(scope)?;
        match value.downcast_object_ref::<Encoded>() {
            Some(encoded) => Ok(encoded.0.clone()),
            None => to_text(&value)
                .map(|text| crate::encode(&text))
                .map_err(|trouble| self.at(trouble)),
        }
    }

    pub(crate) fn unfit(&self, why: &str) -> Trouble {
        self.at(Trouble::Unfit(why.to_owned()))
    }
}

/// `root#/pointer`; the sign is in no expression outside of quotes.
fn pointed(source: &str) -> Option<(&str, &str)> {
    let (root, pointer) = source.split_once('#')?;
    match words(root).as_slice() {
        [Word::Name(name)] if *name == root => Some((root, pointer)),
        _ => None,
    }
}

fn step(at: &Value, name: &str) -> Value {
    let found = match at.kind() {
        ValueKind::Map => at.get_item(&Value::from(name)),
        ValueKind::Seq => match index(name) {
            Some(index) => at.get_item_by_index(index),
            None => Ok(Value::UNDEFINED),
        },
        _ => Ok(Value::UNDEFINED),
    };
    found.unwrap_or_default()
}
