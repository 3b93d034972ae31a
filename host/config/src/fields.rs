//! The raw mirror of a table: its values by declared key, still as TOML. Whoever reads a field gets either the
//! value or its default; what is wrong is noted, and reading goes on, so that all mistakes are told at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Span;
use crate::keys::{Fallback, Key, Section};
use crate::mistakes::{Fault, Mistakes};
use crate::shapes::{
    bracketed, read_address, read_choice, read_count, read_duration, read_flag, read_percent,
    read_size, read_statuses, type_name,
};
use crate::spelling;
use crate::units;

/// A value of the file with its place.
pub(crate) type Item<'a> = &'a Spanned<DeValue<'a>>;

/// A string of the file with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Span,
}

/// A table whose keys were checked against a [`Section`].
pub(crate) struct Fields<'a> {
    section: &'static Section,
    /// Where the table, or its header, stands.
    span: Span,
    table: Option<&'a DeTable<'a>>,
    mistakes: &'a Mistakes,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of a table; keys that are not declared are mistakes.
    pub(crate) fn new(
        section: &'static Section,
        span: Span,
        table: &'a DeTable<'a>,
        mistakes: &'a Mistakes,
    ) -> Self {
        for key in table.keys() {
            if section.find(key.get_ref()).is_none() {
                mistakes.fault(
                    key.span().into(),
                    spelling::unknown_key(section, key.get_ref()),
                );
            }
        }
        Self {
            section,
            span,
            table: Some(table),
            mistakes,
        }
    }

    /// A table that is not in the file: every field has its default.
    pub(crate) fn absent(section: &'static Section, mistakes: &'a Mistakes) -> Self {
        Self {
            section,
            span: Span::default(),
            table: None,
            mistakes,
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    pub(crate) fn mistakes(&self) -> &'a Mistakes {
        self.mistakes
    }

    pub(crate) fn item(&self, name: &str) -> Option<Item<'a>> {
        debug_assert!(
            self.section.find(name).is_some(),
            "`{name}` is not declared in keys.rs"
        );
        self.table?.get(name)
    }

    /// Where a value stands; the table if the key is not there.
    pub(crate) fn span_of(&self, name: &str) -> Span {
        self.item(name).map_or(self.span, |item| item.span().into())
    }

    /// The value of a key that has to be there.
    pub(crate) fn required(&self, name: &str) -> Option<Item<'a>> {
        let item = self.item(name);
        if item.is_none() {
            let fault = Fault::new(format!("{} has no `{name}`", self.section.title));
            self.mistakes.fault(
                self.span,
                fault.with_hint(format!("`{name}`: {}", self.key(name).doc)),
            );
        }
        item
    }

    fn key(&self, name: &str) -> &'static Key {
        self.section
            .find(name)
            .expect("readers name declared keys only")
    }

    // --- one shape each ---

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name, read_flag, |text| text == "true")
    }

    pub(crate) fn flag_or(&self, name: &str, default: bool) -> bool {
        self.given(name, read_flag).unwrap_or(default)
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.value(name, read_count, |text| {
            text.parse().expect("keys.rs has numbers")
        })
    }

    pub(crate) fn count_or(&self, name: &str, default: u64) -> u64 {
        self.given(name, read_count).unwrap_or(default)
    }

    pub(crate) fn duration(&self, name: &str) -> Duration {
        self.value(name, read_duration, |text| {
            units::duration(text).expect("keys.rs has durations")
        })
    }

    pub(crate) fn duration_or(&self, name: &str, default: Duration) -> Duration {
        self.given(name, read_duration).unwrap_or(default)
    }

    pub(crate) fn size(&self, name: &str) -> u64 {
        self.value(name, read_size, |text| {
            units::size(text).expect("keys.rs has sizes")
        })
    }

    pub(crate) fn size_or(&self, name: &str, default: u64) -> u64 {
        self.given(name, read_size).unwrap_or(default)
    }

    /// Per cent.
    pub(crate) fn percent(&self, name: &str) -> u32 {
        self.value(name, read_percent, |text| {
            units::percent(text).expect("keys.rs has shares")
        })
    }

    pub(crate) fn percent_if_given(&self, name: &str) -> Option<u32> {
        self.given(name, read_percent)
    }

    pub(crate) fn count_if_given(&self, name: &str) -> Option<u64> {
        self.given(name, read_count)
    }

    pub(crate) fn duration_if_given(&self, name: &str) -> Option<Duration> {
        self.given(name, read_duration)
    }

    pub(crate) fn size_if_given(&self, name: &str) -> Option<u64> {
        self.given(name, read_size)
    }

    pub(crate) fn statuses_if_given(&self, name: &str) -> Option<Vec<u16>> {
        self.given(name, read_statuses)
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        self.value(name, read_address, |text| {
            text.parse().expect("keys.rs has addresses")
        })
    }

    pub(crate) fn address_if_given(&self, name: &str) -> Option<SocketAddr> {
        self.given(name, read_address)
    }

    pub(crate) fn choice(&self, name: &str) -> &'static str {
        self.value(name, read_choice, |text| text)
    }

    pub(crate) fn choice_if_given(&self, name: &str) -> Option<&'static str> {
        self.given(name, read_choice)
    }

    /// A string that has a default.
    pub(crate) fn text_or_default(&self, name: &str) -> &'a str {
        self.value(
            name,
            |key, item| Word::of(key.name, item).map(|word| word.text),
            |text| text,
        )
    }

    /// A string, if it is there and is one.
    pub(crate) fn text(&self, name: &str) -> Option<Word<'a>> {
        self.given(name, |key, item| Word::of(key.name, item))
    }

    /// A string that has to be there.
    pub(crate) fn required_text(&self, name: &str) -> Option<Word<'a>> {
        self.required(name)?;
        self.text(name)
    }

    /// A list of strings; elements that are no strings are noted and left out.
    pub(crate) fn list(&self, name: &str) -> Vec<Word<'a>> {
        let Some(item) = self.item(name) else {
            return Vec::new();
        };
        let DeValue::Array(array) = item.get_ref() else {
            let fault = Fault::wrong_type(name, "a list of strings", item.get_ref());
            self.mistakes
                .fault(item.span().into(), bracketed(fault, item));
            return Vec::new();
        };
        let words = array.iter().filter_map(|item| {
            self.mistakes
                .note(item.span().into(), Word::element_of(name, item))
        });
        words.collect()
    }

    /// A list of strings, each once; a string said twice is a mistake.
    pub(crate) fn distinct(&self, name: &str) -> Vec<Word<'a>> {
        let mut seen = BTreeSet::new();
        let mut words = self.list(name);
        words.retain(|word| {
            let new = seen.insert(word.text);
            if !new {
                let fault = Fault::new(format!("`{}` is twice in `{name}`", word.text));
                self.mistakes
                    .fault(word.span, fault.with_hint("take one out"));
            }
            new
        });
        words
    }

    /// A list whose elements are names, or tables of `section` with a `name`: each name once.
    pub(crate) fn entries(
        &self,
        name: &str,
        section: &'static Section,
    ) -> Vec<(Word<'a>, Option<Self>)> {
        let Some(item) = self.item(name) else {
            return Vec::new();
        };
        let DeValue::Array(array) = item.get_ref() else {
            let fault = Fault::wrong_type(name, "a list", item.get_ref());
            let fault = bracketed(fault, item);
            self.mistakes.fault(item.span().into(), fault);
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let entry = |item: &'a Spanned<DeValue<'a>>| {
            let (word, table) = match item.get_ref() {
                DeValue::Table(table) => {
                    let fields = Self::new(section, item.span().into(), table, self.mistakes);
                    (fields.required_text("name")?, Some(fields))
                }
                DeValue::String(_) => (Word::of(name, item).ok()?, None),
                other => {
                    let found = type_name(other);
                    let fault =
                        format!("each of `{name}` must be a string or a table, not {found}");
                    self.mistakes.fault(item.span().into(), Fault::new(fault));
                    return None;
                }
            };
            if !seen.insert(word.text) {
                let fault = Fault::new(format!("`{}` is twice in `{name}`", word.text));
                let fault = fault.with_hint("take one out");
                self.mistakes.fault(word.span, fault);
                return None;
            }
            Some((word, table))
        };
        array.iter().filter_map(entry).collect()
    }

    /// The tables among `items`, which are what the list `name` holds; `hint` says what one looks like.
    pub(crate) fn tables(
        &self,
        name: &str,
        items: impl IntoIterator<Item = Item<'a>>,
        section: &'static Section,
        hint: &str,
    ) -> Vec<Self> {
        let table = |item: Item<'a>| {
            let span = item.span().into();
            let DeValue::Table(table) = item.get_ref() else {
                let found = type_name(item.get_ref());
                let fault = Fault::new(format!("each of `{name}` must be a table, not {found}"));
                self.mistakes.fault(span, fault.with_hint(hint));
                return None;
            };
            Some(Self::new(section, span, table, self.mistakes))
        };
        items.into_iter().filter_map(table).collect()
    }

    /// A table within this one, if it is there and is one.
    pub(crate) fn table(&self, name: &str) -> Option<(Span, &'a DeTable<'a>)> {
        let item = self.item(name)?;
        let fault = || Fault::wrong_type(name, "a table", item.get_ref());
        let table = item.get_ref().as_table().ok_or_else(fault);
        self.mistakes
            .note(item.span().into(), table)
            .map(|table| (item.span().into(), table))
    }

    /// The fields of a table within this one; all defaults if it is not there.
    pub(crate) fn fields(&self, name: &str, section: &'static Section) -> Self {
        match self.table(name) {
            Some((span, table)) => Self::new(section, span, table, self.mistakes),
            None => Self::absent(section, self.mistakes),
        }
    }

    fn given<T>(
        &self,
        name: &str,
        read: impl Fn(&'static Key, Item<'a>) -> Result<T, Fault>,
    ) -> Option<T> {
        let item = self.item(name)?;
        self.mistakes
            .note(item.span().into(), read(self.key(name), item))
    }

    fn value<T>(
        &self,
        name: &str,
        read: impl Fn(&'static Key, Item<'a>) -> Result<T, Fault>,
        default: impl Fn(&'static str) -> T,
    ) -> T {
        self.given(name, read)
            .unwrap_or_else(|| match self.key(name).fallback {
                Fallback::Value(text) => default(text),
                Fallback::Required | Fallback::Words(_) => unreachable!("`{name}` has no default"),
            })
    }
}

// === impl Word ===

impl<'a> Word<'a> {
    pub(crate) fn of(key: &str, item: Item<'a>) -> Result<Self, Fault> {
        match item.get_ref() {
            DeValue::String(text) => Ok(Self {
                text,
                span: item.span().into(),
            }),
            other => Err(Fault::wrong_type(key, "a string", other)),
        }
    }

    /// One of a list.
    pub(crate) fn element_of(key: &str, item: Item<'a>) -> Result<Self, Fault> {
        Self::of(key, item).map_err(|_| {
            let found = type_name(item.get_ref());
            Fault::new(format!("each of `{key}` must be a string, not {found}"))
        })
    }
}
