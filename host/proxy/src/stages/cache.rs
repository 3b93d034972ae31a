//! The cache (RFC 9111, RFC 5861, RFC 9211): responses of upstreams, kept in memory, and on disk where there is a
//! folder for it, for the routes that ask for it.
//!
//! Owns what is stored, under which key, and who may be given it. Stands behind authentication, authorization and
//! the filters of the request, before the upstream: a hit has passed everything that a miss passes. Knows nothing
//! of connections. Read `way.rs` first.

mod bypass;
mod conditions;
mod control;
mod disk;
mod fetch;
mod fill;
mod flight;
mod judge;
mod key;
mod life;
mod marks;
mod metrics;
mod purge;
mod recall;
mod renewal;
mod status;
mod stored;
mod wait;
mod way;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use moka::notification::RemovalCause;
use moka::sync::Cache as Moka;
use portcullis_config::plan::CachePlan;

pub(crate) use bypass::forward_and_invalidate;
pub(crate) use disk::DiskMetrics;
pub use disk::{DiskStatistics, FolderError, private_folder};
pub(crate) use metrics::CacheMetrics;
pub use metrics::{RouteStatistics, RouteStore};
pub use purge::{Purge, PurgeError};
pub(crate) use way::{Caching, through};

use disk::Tier;
use flight::Flights;
use key::{Key, Place, Vary};
use marks::Marks;
use stored::Stored;

/// All that is stored, shared by all routes and generations.
#[derive(Debug)]
pub struct Cache {
    store: Moka<Arc<[u8]>, Arc<Variants>>,
    /// What is known not to be stored: nobody waits to find that out again.
    passes: Moka<Arc<[u8]>, ()>,
    flights: Arc<Flights>,
    marks: Arc<Marks>,
    disk: Tier,
    /// Bytes of bodies on their way into the store, at most.
    filling: AtomicUsize,
    most_filling: usize,
    max_object: usize,
}

/// The responses under one key: of one Vary, told apart by what requests said in its fields.
#[derive(Debug)]
struct Variants {
    /// Newest last.
    all: Vec<Arc<Stored>>,
    weight: usize,
}

/// What the store holds now.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Statistics {
    /// Keys; each may have several variants.
    pub entries: u64,
    pub bytes: u64,
    pub memory: u64,
    /// None: there is no disk tier.
    pub disk: Option<DiskStatistics>,
}

/// Variants under one key; the oldest makes room.
const MOST_VARIANTS: usize = 64;
const PASSES: u64 = 100_000;
const PASS_FOR: Duration = Duration::from_secs(10);

/// A claim on memory for a body that is being read.
#[derive(Debug)]
struct Claim {
    cache: Arc<Cache>,
    bytes: AtomicUsize,
}

// === impl Cache ===

impl Cache {
    /// Where the folder of the disk tier cannot be used, memory has to do: that is told and counted, and no reason
    /// not to serve.
    pub(crate) fn new(plan: &CachePlan, metrics: &DiskMetrics) -> Arc<Cache> {
        let weigh = |key: &Arc<[u8]>, variants: &Arc<Variants>| {
            u32::try_from(key.len() + variants.weight).unwrap_or(u32::MAX)
        };
        let store = Moka::builder()
            .max_capacity(plan.memory)
            .weigher(weigh)
            .eviction_listener(|_, variants: Arc<Variants>, cause| variants.left(cause))
            .build();
        let memory = usize::try_from(plan.memory).unwrap_or(usize::MAX);
        let (disk, marks) = Tier::open(plan, metrics);
        Arc::new(Cache {
            store,
            passes: Moka::builder()
                .max_capacity(PASSES)
                .time_to_live(PASS_FOR)
                .build(),
            flights: Flights::new(),
            marks,
            disk,
            filling: AtomicUsize::new(0),
            most_filling: (memory / 4).max(plan.max_object),
            max_object: plan.max_object,
        })
    }

    /// The variant for a request, if it is stored; and the Vary that is known of the key.
    fn find(&self, key: &Key, request: &HeaderMap) -> (Option<Arc<Stored>>, Option<Arc<Variants>>) {
        let Some(variants) = self.store.get(key.bytes()) else {
            return (None, None);
        };
        let fits = |stored: &&Arc<Stored>| stored.head.vary.matches(request);
        let found = variants.all.iter().rev().find(fits);
        let valid =
            found.filter(|stored| !self.marks.outdates(&stored.head.place, stored.head.epoch));
        (valid.cloned(), Some(variants))
    }

    /// Stores a response, unless it was invalidated while it was fetched.
    fn keep(&self, key: &Key, stored: &Arc<Stored>) {
        let epoch = stored.head.epoch;
        if self.marks.outdates(&stored.head.place, epoch) || self.marks.swept_since(epoch) {
            return;
        }
        stored.head.counters.stored();
        self.insert(key, epoch, |before| Variants::with(before, stored));
        self.disk.put(key, stored);
    }

    /// Takes into memory what was read from the disk, looked up there at the epoch `since`. What came from the upstream
    /// meanwhile is newer.
    fn take_back(&self, key: &Key, stored: &Arc<Stored>, since: u64) {
        if self.marks.outdates(&stored.head.place, stored.head.epoch)
            || self.marks.swept_since(since)
        {
            return;
        }
        self.insert(key, since, |before| match before {
            Some(before) if before.supersedes(stored) => Variants::of(before.all.clone()),
            before => Variants::with(before, stored),
        });
    }

    fn insert(&self, key: &Key, epoch: u64, next: impl FnOnce(Option<&Variants>) -> Variants) {
        let entry = self.store.entry(key.shared());
        entry.and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value);
            let variants = next(before.as_deref());
            variants.came();
            Arc::new(variants)
        });
        // A purge that looked here before this was stored.
        if self.marks.swept_since(epoch) {
            self.store.invalidate(key.bytes());
        }
    }

    /// Forgets what is stored under a key.
    fn forget(&self, key: &Key) {
        self.store.invalidate(key.bytes());
        self.disk.forget(key);
    }

    /// What waits to be written is written, for as long as `grace`; nothing more is after that. Not for a request's
    /// thread.
    pub fn close(&self, grace: Duration) {
        self.disk.close(grace);
    }

    /// Forgets what is stored for a place, whoever it is stored for (RFC 9111 section 4.4).
    fn invalidate(&self, place: &Place) {
        self.marks.mark(place);
    }

    /// Memory for a body of `bytes`; None where too much is on its way already.
    fn claim(self: &Arc<Self>, bytes: usize) -> Option<Claim> {
        let claim = Claim {
            cache: self.clone(),
            bytes: AtomicUsize::new(0),
        };
        claim.covers(bytes).then_some(claim)
    }

    pub fn statistics(&self) -> Statistics {
        self.store.run_pending_tasks();
        Statistics {
            entries: self.store.entry_count(),
            bytes: self.store.weighted_size(),
            memory: self.store.policy().max_capacity().unwrap_or_default(),
            disk: self.disk.statistics(),
        }
    }
}

// === impl Claim ===

impl Claim {
    /// Claims as much more as `bytes` in all take; false where there is no more. Only whoever fills asks.
    fn covers(&self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        if more == 0 {
            return true;
        }
        let before = self.cache.filling.fetch_add(more, Ordering::Relaxed);
        let fits = before.saturating_add(more) <= self.cache.most_filling;
        if fits {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        } else {
            self.cache.filling.fetch_sub(more, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.cache.filling.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// === impl Variants ===

impl Variants {
    /// The newest Vary decides: what was stored under another one may have been chosen by a field that nobody
    /// compared.
    fn with(before: Option<&Variants>, stored: &Arc<Stored>) -> Variants {
        let vary = &stored.head.vary;
        let stays =
            |other: &&Arc<Stored>| other.head.vary.same_names(vary) && other.head.vary != *vary;
        let before = before
            .map(|before| before.all.as_slice())
            .unwrap_or_default();
        let mut all: Vec<Arc<Stored>> = before.iter().filter(stays).cloned().collect();
        if all.len() >= MOST_VARIANTS {
            all.remove(0);
        }
        all.push(stored.clone());
        Variants::of(all)
    }

    fn of(all: Vec<Arc<Stored>>) -> Variants {
        let weight = all.iter().map(|stored| stored.weight()).sum();
        Variants { all, weight }
    }

    /// Whether one of the same requests is here, or another Vary is known by now.
    fn supersedes(&self, other: &Stored) -> bool {
        let vary = &other.head.vary;
        let knows =
            |stored: &Arc<Stored>| stored.head.vary == *vary || !stored.head.vary.same_names(vary);
        self.all.iter().any(knows)
    }

    /// The Vary of the newest.
    fn vary(&self) -> Option<&Vary> {
        self.all.last().map(|stored| &stored.head.vary)
    }

    fn came(&self) {
        self.grow(1);
    }

    fn left(&self, cause: RemovalCause) {
        self.grow(-1);
        if let Some(stored) = self.all.last().filter(|_| cause == RemovalCause::Size) {
            stored.head.counters.evicted(self.all.len());
        }
    }

    fn grow(&self, sign: i64) {
        if let Some(stored) = self.all.last() {
            let bytes = i64::try_from(self.weight).unwrap_or(i64::MAX);
            stored.head.counters.grew(sign * bytes);
        }
    }
}
