//! The gate: the one pointer to the serving generation, and what each worker has of its own.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::observe::journal::Archive;
use crate::pipeline::generation::Generation;
use crate::stages::cache::Cache;
use crate::upstreams::shield::Pressure;

#[derive(Debug)]
pub struct Gate {
    generation: ArcSwap<Generation>,
    /// Those that tend the upstreams of the serving generation: replaced with it, and ended.
    keepers: Mutex<JoinSet<()>>,
    /// Touched by swaps and by operators only.
    past: Mutex<Past>,
    pub archive: Arc<Archive>,
    /// For `explain`: whoever asks is told the trail, and nobody is asked.
    pub(crate) rehearses: bool,
    /// What is stored of responses; lives on over reloads.
    pub cache: Arc<Cache>,
    /// Resident bytes as last read, where that is of interest.
    pub(crate) memory: AtomicU64,
}

/// What the serving generation follows.
#[derive(Debug)]
struct Past {
    /// When it began to serve.
    since: SystemTime,
    /// Those that are gone are forgotten with the next look.
    replaced: Vec<Replaced>,
}

#[derive(Debug)]
struct Replaced {
    at: SystemTime,
    since: Instant,
    generation: Weak<Generation>,
}

/// An older generation that exchanges still use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    pub number: u64,
    pub at: SystemTime,
    /// Exchanges, for the most part; one more for a moment while someone looks.
    pub leases: usize,
}

/// One serving thread's view.
#[derive(Debug)]
pub struct Worker {
    pub index: usize,
    pub gate: Arc<Gate>,
    pub(crate) pressure: Pressure,
    /// True once the gateway is shutting down.
    pub draining: watch::Receiver<bool>,
    /// First half of the request ids made here: random, so that ids of two workers or processes never meet.
    origin: u64,
    made: AtomicU64,
}

impl Gate {
    /// Within a Tokio runtime, whose threads check and look up servers.
    pub fn new(first: Generation, archive: Archive) -> Arc<Gate> {
        let keepers = first.tend();
        Arc::new(Gate::of(first, archive, keepers, false))
    }

    /// One behind which no server is ever asked, be it whether it is well.
    pub(crate) fn rehearsal(only: Generation, archive: Archive) -> Arc<Gate> {
        Arc::new(Gate::of(only, archive, JoinSet::new(), true))
    }

    fn of(first: Generation, archive: Archive, keepers: JoinSet<()>, rehearses: bool) -> Gate {
        let mut cache = first.plan.cache.clone();
        // The folder is the serving gateway's.
        cache.disk = cache.disk.filter(|_| !rehearses);
        Gate {
            cache: Cache::new(&cache, &archive.metrics.disk),
            keepers: Mutex::new(keepers),
            past: Mutex::new(Past {
                since: SystemTime::now(),
                replaced: Vec::new(),
            }),
            generation: ArcSwap::from_pointee(first),
            archive: Arc::new(archive),
            rehearses,
            memory: AtomicU64::new(0),
        }
    }

    /// A request holds this from its head to its last byte.
    pub fn lease(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Requests that begin from now on use `next`; the old generation is freed with its last lease.
    pub fn swap(&self, next: Generation) {
        if let Some(log) = &self.archive.log {
            log.follow(&next.plan.log);
        }
        let next = Arc::new(next);
        let old = self.generation.swap(next.clone());
        // What a panic left behind is replaced whole.
        *self.keepers.lock().unwrap_or_else(PoisonError::into_inner) = next.tend();
        old.retire(&next);
        let mut past = self.past();
        past.since = SystemTime::now();
        past.forget();
        let (at, since) = (past.since, Instant::now());
        past.replaced.push(Replaced {
            at,
            since,
            generation: Arc::downgrade(&old),
        });
    }

    /// When the serving generation began to.
    pub fn since(&self) -> SystemTime {
        self.past().since
    }

    /// How many generations are held by old exchanges only, and since when the oldest is.
    pub fn draining(&self) -> (usize, Duration) {
        let mut past = self.past();
        past.forget();
        let oldest = past.replaced.first().map(|old| old.since.elapsed());
        (past.replaced.len(), oldest.unwrap_or_default())
    }

    /// The same one by one, the oldest first.
    pub fn retired(&self) -> Vec<Retired> {
        let past = self.past();
        let retired = past.replaced.iter().filter_map(|old| {
            let generation = old.generation.upgrade()?;
            Some(Retired {
                number: generation.number,
                at: old.at,
                leases: Arc::strong_count(&generation) - 1,
            })
        });
        retired.filter(|retired| retired.leases > 0).collect()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        // Each change is whole.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All metrics, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.archive.metrics.render(self)
    }
}

impl Past {
    fn forget(&mut self) {
        let there = |old: &Replaced| old.generation.strong_count() > 0;
        self.replaced.retain(there);
    }
}

impl Worker {
    pub fn new(index: usize, gate: Arc<Gate>, draining: watch::Receiver<bool>) -> Worker {
        Worker {
            index,
            pressure: Pressure::new(index, &gate.archive.metrics.shield),
            gate,
            draining,
            origin: RandomState::new().hash_one(index),
            made: AtomicU64::new(0),
        }
    }

    /// The id that a trusted peer gave, or a new one: 32 hexadecimal digits.
    pub fn request_id(&self, given: Option<&str>) -> Arc<str> {
        match given {
            Some(id) => id.into(),
            None => format!(
                "{:016x}{:016x}",
                self.origin,
                self.made.fetch_add(1, Ordering::Relaxed)
            )
            .into(),
        }
    }
}
