//! Where a value of the settings stands in the file, and what it is called.

use std::fmt::Write as _;

use jsonschema::paths::{Location, LocationSegment};
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Span;
use crate::plan::PluginPlan;
use crate::shapes::type_name;

/// One value of the settings.
pub(super) struct Place<'a> {
    pub(super) span: Span,
    /// For sentences: `[plugin.NAME.settings]` or `` `bots[0].token` ``.
    pub(super) name: String,
    /// None: the settings are not in the file at all.
    value: Option<&'a DeValue<'a>>,
    table: Option<&'a DeTable<'a>>,
}

impl<'a> Place<'a> {
    /// The value at a path of the JSON that the plugin gets.
    pub(super) fn find(
        plugin: &PluginPlan,
        title: &str,
        settings: Option<&'a DeTable<'a>>,
        path: &Location,
    ) -> Self {
        let mut place = Place {
            span: plugin.settings_span,
            name: title.to_owned(),
            value: None,
            table: settings,
        };
        let mut path_text = String::new();
        for segment in path.iter() {
            let next = match (&segment, place.value) {
                (LocationSegment::Property(key), _) => {
                    let dot = if path_text.is_empty() { "" } else { "." };
                    // Writing to a String cannot fail.
                    let _ = write!(path_text, "{dot}{key}");
                    place.table.and_then(|table| table.get(key.as_ref()))
                }
                (LocationSegment::Index(index), Some(DeValue::Array(array))) => {
                    let _ = write!(path_text, "[{index}]");
                    array.get(*index)
                }
                (LocationSegment::Index(_), _) => None,
            };
            let Some(item) = next else { break };
            place.span = item.span().into();
            place.value = Some(item.get_ref());
            place.table = item.get_ref().as_table();
        }
        if !path_text.is_empty() {
            place.name = format!("`{path_text}`");
        }
        place
    }

    /// The keys of this table and where they stand.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'a str, Span)> + use<'a> {
        let keys = self.table.into_iter().flat_map(DeTable::keys);
        keys.map(|key| (key.get_ref().as_ref(), key.span().into()))
    }

    /// Where a key of this table stands; the table itself if it does not.
    pub(super) fn key(&self, name: &str) -> Span {
        self.table
            .and_then(|table| table.get_key_value(name))
            .map_or(self.span, |(key, _)| key.span().into())
    }

    /// What stands there, for "must be x, not y".
    pub(super) fn type_name(&self) -> &'static str {
        match (self.secret(), self.value) {
            (Some("env"), _) => "text from `env`",
            (Some(_), _) => "text from `file`",
            (None, Some(value)) => type_name(value),
            (None, None) => "a table",
        }
    }

    /// The text, if it is one and may be shown.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.and_then(DeValue::as_str)
    }

    /// Where its text comes from, if not from the file.
    fn secret(&self) -> Option<&'static str> {
        // The settings as a whole cannot be a reference.
        let table = self.table.filter(|_| self.value.is_some())?;
        ["env", "file"]
            .into_iter()
            .find(|key| table.contains_key(*key))
    }
}
