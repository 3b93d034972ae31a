//! Whether there is a disk tier; what the cache says to it.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use portcullis_config::plan::{CachePlan, DiskPlan};

use super::index::hash;
use super::keeper::{Job, Purged};
use super::{Disk, DiskMetrics, DiskStatistics};
use crate::stages::cache::key::Key;
use crate::stages::cache::marks::Marks;
use crate::stages::cache::purge::{Purge, PurgeError};
use crate::stages::cache::stored::Stored;

/// Whether there is one.
#[derive(Debug)]
pub(in crate::stages::cache) enum Tier {
    Off,
    /// It could not be opened.
    Down {
        plan: DiskPlan,
        why: String,
    },
    On(Arc<Disk>),
}

/// For a purge.
const PATIENCE: Duration = Duration::from_secs(60);

impl Tier {
    /// With the marks that it keeps.
    pub(in crate::stages::cache) fn open(
        plan: &CachePlan,
        metrics: &DiskMetrics,
    ) -> (Tier, Arc<Marks>) {
        let Some(disk) = &plan.disk else {
            return (Tier::Off, Arc::new(Marks::new()));
        };
        match Disk::open(plan, disk, metrics) {
            Ok((disk, marks)) => (Tier::On(disk), marks),
            Err(error) => {
                let why = error.to_string();
                tracing::error!("the cache is in memory only, until a restart: {why}");
                let plan = disk.clone();
                (Tier::Down { plan, why }, Arc::new(Marks::new()))
            }
        }
    }

    pub(in crate::stages::cache) fn on(&self) -> Option<&Arc<Disk>> {
        match self {
            Tier::On(disk) => Some(disk),
            Tier::Off | Tier::Down { .. } => None,
        }
    }

    pub(in crate::stages::cache) fn put(&self, key: &Key, stored: &Arc<Stored>) {
        if let Some(disk) = self.on() {
            disk.put(key, stored);
        }
    }

    pub(in crate::stages::cache) fn forget(&self, key: &Key) {
        if let Some(disk) = self.on() {
            disk.tell(Job::Forget(hash(key)));
        }
    }

    /// The keys of what is gone. Waits for the disk.
    pub(in crate::stages::cache) fn purge(&self, purge: &Purge) -> Result<Purged, PurgeError> {
        let Some(disk) = self.on() else {
            return Ok(Purged::default());
        };
        let (answer, purged) = channel();
        disk.tell(Job::Purge(purge.clone(), answer));
        purged.recv_timeout(PATIENCE).map_err(|_| {
            PurgeError(format!(
                "the disk tier did not answer within {PATIENCE:?}: what is there may be served still"
            ))
        })
    }

    pub(in crate::stages::cache) fn close(&self, grace: Duration) {
        if let Some(disk) = self.on() {
            let (answer, ended) = channel();
            disk.tell(Job::End(answer));
            // What is not written by then is not on the disk: a response less.
            let _ = ended.recv_timeout(grace);
        }
    }

    pub(in crate::stages::cache) fn statistics(&self) -> Option<DiskStatistics> {
        match self {
            Tier::Off => None,
            Tier::Down { plan, why } => Some(DiskStatistics {
                folder: plan.folder.display().to_string(),
                state: "down",
                why: Some(why.clone()),
                size: plan.size,
                ..DiskStatistics::default()
            }),
            Tier::On(disk) => Some(disk.statistics()),
        }
    }
}
