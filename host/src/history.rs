//! What became of each plugin: the versions that served and those that were refused, newest first. Kept over reloads,
//! bounded, gone with the process.

mod traits;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use portcullis_runtime::Digest;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::traits::{Change, Traits, limits};
use crate::version::Standing;

/// Entries of one plugin that are kept.
const KEPT: usize = 20;
/// Characters of a reason that are kept.
const LONGEST: usize = 2000;

/// Never locked on the request's way.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    entries: BTreeMap<Arc<str>, VecDeque<Entry>>,
    standings: BTreeMap<Arc<str>, Standing>,
}

/// One thing that became of a plugin.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// RFC 3339.
    time: String,
    outcome: Became,
    /// Who asked.
    cause: &'static str,
    /// None: the file could not be read.
    digest: Option<String>,
    /// Bytes.
    size: Option<u64>,
    /// The one that serves since, or served on.
    generation: u64,
    /// Why it was refused.
    reason: Option<String>,
    /// From the version that served until then.
    differs: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Became {
    Served,
    RolledBack,
    Refused,
}

impl Entry {
    pub(crate) fn new(outcome: Became, cause: &'static str, generation: u64) -> Entry {
        Entry {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            outcome,
            cause,
            digest: None,
            size: None,
            generation,
            reason: None,
            differs: Vec::new(),
        }
    }

    /// Of which bytes.
    pub(crate) fn of(mut self, digest: Option<Digest>, size: Option<u64>) -> Entry {
        self.digest = digest.map(|digest| digest.to_string());
        self.size = size;
        self
    }

    pub(crate) fn because(mut self, reason: &str) -> Entry {
        self.reason = Some(reason.chars().take(LONGEST).collect());
        self
    }

    pub(crate) fn differing(mut self, before: Option<&Traits>, now: Option<&Traits>) -> Entry {
        if let (Some(before), Some(now)) = (before, now) {
            self.differs = before.changes(now);
        }
        self
    }
}

impl History {
    pub(crate) fn note(&self, plugin: &Arc<str>, entry: Entry) {
        let mut book = self.book();
        let entries = book.entries.entry(plugin.clone()).or_default();
        entries.push_front(entry);
        entries.truncate(KEPT);
    }

    /// How things stand now; what is of no plugin any more is forgotten.
    pub(crate) fn stand(&self, standings: BTreeMap<Arc<str>, Standing>) {
        let mut book = self.book();
        book.entries.retain(|name, _| standings.contains_key(name));
        book.standings = standings;
    }

    /// Newest first.
    pub(crate) fn entries(&self, plugin: &str) -> Vec<Entry> {
        let book = self.book();
        let entries = book.entries.get(plugin);
        entries.into_iter().flatten().cloned().collect()
    }

    pub(crate) fn standing(&self, plugin: &str) -> Standing {
        let book = self.book();
        book.standings.get(plugin).cloned().unwrap_or_default()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_plugin_the_newest_twenty_are_kept_while_it_is_there() {
        let history = History::default();
        let name: Arc<str> = "stamp".into();
        for generation in 1..=50 {
            let entry = Entry::new(Became::Served, "file change", generation);
            history.note(&name, entry.because(&"x".repeat(5000)));
        }
        let entries = history.entries("stamp");
        assert_eq!(entries.len(), KEPT);
        assert_eq!((entries[0].generation, entries[19].generation), (50, 31));
        assert_eq!(entries[0].reason.as_deref().map(str::len), Some(LONGEST));
        history.stand(BTreeMap::from([("other".into(), Standing::default())]));
        assert!(history.entries("stamp").is_empty());
    }
}
