//! What the supervisor reports of loads, and the pages show. Requests of clients never lock any of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::history::History;

/// Why the newest version of a plugin was refused, by its name; the last good one serves on.
pub type RefusedPlugins = BTreeMap<Arc<str>, String>;
/// Why a file of TLS is bad, by its path; its last good content serves on.
pub type StaleFiles = BTreeMap<Arc<str>, String>;

/// As it was after the last load.
#[derive(Debug, Default)]
pub struct Status {
    refused: Mutex<RefusedPlugins>,
    stale: Mutex<StaleFiles>,
    config_refused: AtomicBool,
    pub history: History,
}

impl Status {
    pub fn refused(&self) -> RefusedPlugins {
        self.refused.lock().clone()
    }

    pub fn set_refused(&self, plugins: RefusedPlugins) {
        *self.refused.lock() = plugins;
    }

    pub fn stale(&self) -> StaleFiles {
        self.stale.lock().clone()
    }

    pub fn set_stale(&self, files: StaleFiles) {
        *self.stale.lock() = files;
    }

    /// Whether the last reload was refused as a whole.
    pub fn is_config_refused(&self) -> bool {
        self.config_refused.load(Ordering::Relaxed)
    }

    pub fn set_config_refused(&self, refused: bool) {
        self.config_refused.store(refused, Ordering::Relaxed);
    }
}
