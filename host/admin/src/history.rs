//! What became of each plugin: the versions that served and those that were refused, newest first. Kept over reloads,
//! bounded, gone with the process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, MutexGuard};
use portcullis_runtime::Digest;
use schemars::JsonSchema;
use serde::Serialize;

/// Entries of one plugin that are kept.
const KEPT: usize = 20;
/// Characters of a reason that are kept.
const LONGEST: usize = 2000;
/// Characters of one difference that are kept.
const LONGEST_CHANGE: usize = 160;

/// Requests of clients never lock it.
#[derive(Debug, Default)]
pub struct History(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    entries: BTreeMap<Arc<str>, VecDeque<Entry>>,
    standings: BTreeMap<Arc<str>, Standing>,
}

/// One thing that became of a plugin.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Entry {
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
pub enum Became {
    Served,
    RolledBack,
    Refused,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// `code`, `kind`, `import`, `ability`, `limit`, `setting` or `values`.
    pub part: &'static str,
    /// `added`, `removed` or `changed`.
    pub how: &'static str,
    pub what: String,
}

/// What a plugin can be rolled back to, and whether it was.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Bytes of the component that serves.
    pub size: usize,
    /// It serves instead of its file.
    pub pinned: bool,
    /// What a rollback would bring.
    pub before: Option<Digest>,
}

impl Entry {
    pub fn new(outcome: Became, cause: &'static str, generation: u64) -> Entry {
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
    pub fn of(mut self, digest: Option<Digest>, size: Option<u64>) -> Entry {
        self.digest = digest.map(|digest| digest.to_string());
        self.size = size;
        self
    }

    pub fn because(mut self, reason: &str) -> Entry {
        self.reason = Some(reason.chars().take(LONGEST).collect());
        self
    }

    pub fn differing(mut self, changes: Vec<Change>) -> Entry {
        self.differs = changes;
        self
    }
}

impl Change {
    /// `what` may come from a schema that a stranger wrote: it is cut where it is long.
    pub fn new(part: &'static str, how: &'static str, what: &str) -> Change {
        Change {
            part,
            how,
            what: what.chars().take(LONGEST_CHANGE).collect(),
        }
    }
}

impl History {
    pub fn note(&self, plugin: &Arc<str>, entry: Entry) {
        let mut book = self.book();
        let entries = book.entries.entry(plugin.clone()).or_default();
        entries.push_front(entry);
        entries.truncate(KEPT);
    }

    /// Replaces all standings; forgets plugins that have none.
    pub fn stand(&self, standings: BTreeMap<Arc<str>, Standing>) {
        let mut book = self.book();
        book.entries.retain(|name, _| standings.contains_key(name));
        book.standings = standings;
    }

    /// Newest first.
    pub fn entries(&self, plugin: &str) -> Vec<Entry> {
        let book = self.book();
        let entries = book.entries.get(plugin);
        entries.into_iter().flatten().cloned().collect()
    }

    pub fn standing(&self, plugin: &str) -> Standing {
        let book = self.book();
        book.standings.get(plugin).cloned().unwrap_or_default()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change is whole.
        self.0.lock()
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

    #[test]
    fn what_is_told_is_bounded() {
        let long = "x".repeat(1000);
        let change = Change::new("import", "added", &long);
        assert_eq!(change.what.len(), LONGEST_CHANGE);
    }
}
