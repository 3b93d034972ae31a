//! The cache (RFC 9111, RFC 5861, RFC 9211): responses of upstreams, kept in memory for the routes that ask for it.
//!
//! Owns what is stored, under which key, and who may be given it. Stands behind authentication, authorization and
//! the filters of the request, before the upstream: a hit has passed everything that a miss passes. Knows nothing
//! of connections. Read `way.rs` first.

mod conditions;
mod control;
mod fetch;
mod figures;
mod fill;
mod flight;
mod judge;
mod key;
mod life;
mod purge;
mod status;
mod stored;
mod way;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use moka::notification::RemovalCause;
use moka::sync::Cache as Moka;
use portcullis_config::plan::CachePlan;

pub(crate) use figures::{Figures, Outcome};
pub use figures::{RouteStatistics, RouteStore};
pub(crate) use fill::Reader;
pub use purge::{Purge, PurgeError};
pub(crate) use way::through;

use flight::Flights;
use key::{Key, Place, Vary};
use stored::Stored;

/// All that is stored, shared by all routes and generations.
#[derive(Debug)]
pub struct Cache {
    store: Moka<Arc<[u8]>, Arc<Variants>>,
    /// What is known not to be stored: nobody waits to find that out again.
    passes: Moka<Arc<[u8]>, ()>,
    flights: Arc<Flights>,
    marks: Marks,
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
}

/// When what was invalidated, by a clock that only invalidations move: whoever began to ask the upstream before that
/// may have been told the state before it, and what it brings is not used. A slot stands for many places; two
/// that meet in one cost a needless question, never a stale answer. Fixed in size, without a lock.
#[derive(Debug)]
struct Marks {
    clock: AtomicU64,
    slots: Box<[AtomicU64]>,
    /// The last purge that looked through the whole store.
    swept: AtomicU64,
    hasher: RandomState,
}

const SLOTS: usize = 1 << 16;
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
    pub fn new(plan: &CachePlan) -> Arc<Cache> {
        let weigh = |key: &Arc<[u8]>, variants: &Arc<Variants>| {
            u32::try_from(key.len() + variants.weight).unwrap_or(u32::MAX)
        };
        let store = Moka::builder()
            .max_capacity(plan.memory)
            .weigher(weigh)
            .eviction_listener(|_, variants: Arc<Variants>, cause| variants.left(cause))
            .build();
        let memory = usize::try_from(plan.memory).unwrap_or(usize::MAX);
        Arc::new(Cache {
            store,
            passes: Moka::builder()
                .max_capacity(PASSES)
                .time_to_live(PASS_FOR)
                .build(),
            flights: Flights::new(),
            marks: Marks::new(),
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
        stored.head.figures.stored();
        let entry = self.store.entry(key.shared());
        entry.and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value);
            let variants = Variants::with(before.as_deref(), stored);
            variants.came();
            Arc::new(variants)
        });
        // A purge that looked here before this was stored.
        if self.marks.swept_since(epoch) {
            self.store.invalidate(key.bytes());
        }
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
        match fits {
            true => self.bytes.fetch_add(more, Ordering::Relaxed),
            false => self.cache.filling.fetch_sub(more, Ordering::Relaxed),
        };
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
        let weight = all.iter().map(|stored| stored.weight()).sum();
        Variants { all, weight }
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
            stored.head.figures.evicted(self.all.len());
        }
    }

    fn grow(&self, sign: i64) {
        if let Some(stored) = self.all.last() {
            let bytes = i64::try_from(self.weight).unwrap_or(i64::MAX);
            stored.head.figures.grew(sign * bytes);
        }
    }
}

// === impl Marks ===

impl Marks {
    fn new() -> Marks {
        Marks {
            clock: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            swept: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// For who begins to ask the upstream now.
    fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn slot(&self, place: &Place) -> &AtomicU64 {
        let slot = self.hasher.hash_one(place) % SLOTS as u64;
        &self.slots[usize::try_from(slot).expect("less than SLOTS")]
    }

    fn mark(&self, place: &Place) {
        self.slot(place).fetch_max(self.tick(), Ordering::SeqCst);
    }

    fn sweep(&self) {
        self.swept.fetch_max(self.tick(), Ordering::SeqCst);
    }

    fn outdates(&self, place: &Place, epoch: u64) -> bool {
        self.slot(place).load(Ordering::SeqCst) > epoch
    }

    fn swept_since(&self, epoch: u64) -> bool {
        self.swept.load(Ordering::SeqCst) > epoch
    }
}
