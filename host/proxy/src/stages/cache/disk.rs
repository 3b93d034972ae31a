//! The disk tier: what is stored is also written to a folder, and found there when memory has no room for it or the
//! gateway starts anew.
//!
//! Owns the folder and what is known of it. A request looks into an index in memory; only where that says that there
//! is a file is one read, on a thread that serves nobody. Everything else is the keeper's (`keeper.rs`), a thread of
//! its own. A disk that fails or is slow costs hits, never an answer.

mod folder;
mod index;
mod keeper;
mod ledger;
mod metrics;
mod record;
mod tier;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use http::HeaderMap;
use parking_lot::Mutex;
use portcullis_config::plan::{CachePlan, DiskPlan};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::flight::{Boarding, Flights};
use super::key::Key;
use super::marks::Marks;
use super::metrics::RouteCounters;
use super::stored::Stored;
use folder::Folder;
use index::Index;
use keeper::Keeper;
use ledger::Ledger;
use metrics::{Read, Write};
use record::{Flaw, Label};

pub use folder::{FolderError, private_folder};
pub(super) use index::{Slot, hash};
pub(super) use keeper::Job;
pub(crate) use metrics::DiskMetrics;
pub(super) use tier::Tier;

#[derive(Debug)]
pub(super) struct Disk {
    folder: Folder,
    size: u64,
    index: Index,
    jobs: Sender<Job>,
    /// Bytes that wait to be written, and how many may.
    waiting: AtomicUsize,
    most_waiting: usize,
    /// Reads at the same time.
    reads: Arc<Semaphore>,
    flights: Arc<Flights>,
    metrics: DiskMetrics,
    health: Mutex<Health>,
}

#[derive(Debug)]
enum Health {
    /// The files of before are being looked through.
    Scanning,
    Up,
    Failing(String),
}

/// What an operator sees of it.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
pub struct DiskStatistics {
    pub folder: String,
    /// `scanning`, `up`, `failing` or `down`.
    pub state: &'static str,
    pub why: Option<String>,
    pub size: u64,
    pub entries: i64,
    pub bytes: i64,
    pub hit: u64,
    pub miss: u64,
    pub corrupt: u64,
    pub failed: u64,
    pub slow: u64,
    pub written: u64,
    pub dropped: u64,
    pub write_failed: u64,
    pub evicted: u64,
}

/// A disk that hangs holds up so many threads, and each request for so long.
const READS: usize = 64;
const READ_WITHIN: Duration = Duration::from_secs(1);
/// What is good for less would be gone before it is missed in memory.
const WORTH_WRITING: Duration = Duration::from_secs(30);
/// Of the folder, for what is no response: the ledger, 256 folders.
const OVERHEAD: u64 = 3 << 20;

// === impl Disk ===

impl Disk {
    fn open(
        cache: &CachePlan,
        plan: &DiskPlan,
        metrics: &DiskMetrics,
    ) -> Result<(Arc<Disk>, Arc<Marks>), FolderError> {
        let folder = Folder::open(&plan.folder)?;
        let unusable = |error: std::io::Error| {
            let folder = plan.folder.display();
            FolderError::Unusable(format!("cannot keep responses in {folder}: {error}"))
        };
        let (ledger, known, trusted) = Ledger::open(folder.root()).map_err(unusable)?;
        let (jobs, inbox) = channel();
        let (evict, evicted) = channel();
        let number = known.clock;
        let marks = Arc::new(Marks::written(known, jobs.clone()));
        // Room for one that is written before others make room for it.
        let largest = cache.max_object as u64 + (1 << 20);
        let bytes = plan.size.saturating_sub(OVERHEAD + largest);
        let memory = usize::try_from(cache.memory).unwrap_or(usize::MAX);
        let disk = Arc::new(Disk {
            index: Index::new(bytes, cache.memory / 2, evict),
            folder,
            size: plan.size,
            jobs,
            waiting: AtomicUsize::new(0),
            most_waiting: (memory / 4).max(cache.max_object),
            reads: Arc::new(Semaphore::new(READS)),
            flights: Flights::new(),
            metrics: metrics.clone(),
            health: Mutex::new(Health::Scanning),
        });
        let keeper = Keeper {
            disk: disk.clone(),
            marks: marks.clone(),
            ledger,
            jobs: inbox,
            evicted,
            number,
            owed: BTreeSet::new(),
            pause: None,
        };
        let thread = std::thread::Builder::new().name("cache-disk".into());
        // Ends when it is told to (`Tier::close`), or with the process.
        thread
            .spawn(move || keeper.run(trusted))
            .map_err(unusable)?;
        Ok((disk, marks))
    }

    /// Whether there is a file for a request.
    pub(super) fn find(&self, key: &Key, request: &HeaderMap, marks: &Marks) -> Option<Arc<Slot>> {
        let found = self.index.find(&hash(key), request);
        let valid = found.filter(|slot| !marks.outdates(&slot.place, slot.epoch));
        if valid.is_none() {
            self.metrics.read(Read::Miss).inc();
        }
        valid
    }

    pub(super) fn board(&self, key: &Key) -> Boarding {
        self.flights.board(key)
    }

    /// Reads a file, not on this thread, and waits for it, not for long.
    pub(super) async fn read(
        self: &Arc<Self>,
        key: &Key,
        slot: Arc<Slot>,
        counters: RouteCounters,
    ) -> Option<Arc<Stored>> {
        let Ok(permit) = self.reads.clone().try_acquire_owned() else {
            self.metrics.read(Read::Slow).inc();
            return None;
        };
        let (disk, key) = (self.clone(), key.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            disk.fetch(&key, &slot, counters)
        });
        match tokio::time::timeout(READ_WITHIN, reading).await {
            Ok(read) => read.ok().flatten(),
            Err(_) => {
                self.metrics.read(Read::Slow).inc();
                None
            }
        }
    }

    fn fetch(&self, key: &Key, slot: &Slot, counters: RouteCounters) -> Option<Arc<Stored>> {
        let read = || {
            let mut file = self.folder.read(slot.number)?;
            Label::read(&mut file)?.stored(file, key, counters)
        };
        let outcome = match read() {
            Ok(stored) if stored.head.vary == slot.vary => {
                self.metrics.read(Read::Hit).inc();
                return Some(Arc::new(stored));
            }
            Ok(_) | Err(Flaw::Corrupt) => {
                self.complain(Read::Corrupt, "its checksum does not fit");
                Read::Corrupt
            }
            // It made room just now.
            Err(Flaw::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Read::Miss,
            Err(Flaw::Io(error)) => {
                self.complain(Read::Failed, error);
                Read::Failed
            }
        };
        self.metrics.read(outcome).inc();
        self.tell(Job::Drop(hash(key), slot.number));
        None
    }

    /// Of many bad files each time twice as many as before: one line each would fill the log.
    fn complain(&self, read: Read, why: impl std::fmt::Display) {
        let count = self.metrics.read(read).get() + 1;
        if count.is_power_of_two() {
            let root = self.folder.root().display();
            tracing::warn!(
                "a response in {root} cannot be used and is taken away, {count} so far: {why}"
            );
        }
    }

    /// Has a response written, some time soon. What was written of its key before is older: if this one is not
    /// written, that has to go.
    fn put(&self, key: &Key, stored: &Arc<Stored>) {
        if stored.head.life.left_to_serve(Instant::now()) < WORTH_WRITING {
            return self.tell(Job::Forget(hash(key)));
        }
        let bytes = stored.weight();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most_waiting {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.write(Write::Dropped).inc();
            return self.tell(Job::Forget(hash(key)));
        }
        self.tell(Job::Write(key.clone(), stored.clone()));
    }

    fn tell(&self, job: Job) {
        // The keeper is gone only where the gateway ends.
        let _ = self.jobs.send(job);
    }

    fn is(&self, health: Health) {
        let up = matches!(health, Health::Up);
        self.metrics.up.set(i64::from(up));
        *self.health.lock() = health;
    }

    fn statistics(&self) -> DiskStatistics {
        let health = self.health.lock();
        let (state, why) = match &*health {
            Health::Scanning => ("scanning", None),
            Health::Up => ("up", None),
            Health::Failing(why) => ("failing", Some(why.clone())),
        };
        let metrics = &self.metrics;
        DiskStatistics {
            folder: self.folder.root().display().to_string(),
            state,
            why,
            size: self.size,
            entries: metrics.entries.get(),
            bytes: metrics.bytes.get(),
            hit: metrics.read(Read::Hit).get(),
            miss: metrics.read(Read::Miss).get(),
            corrupt: metrics.read(Read::Corrupt).get(),
            failed: metrics.read(Read::Failed).get(),
            slow: metrics.read(Read::Slow).get(),
            written: metrics.write(Write::Done).get(),
            dropped: metrics.write(Write::Dropped).get(),
            write_failed: metrics.write(Write::Failed).get(),
            evicted: metrics.evicted.get(),
        }
    }
}
