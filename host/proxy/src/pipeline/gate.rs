//! The gate: the one pointer to the serving generation, and what lives on from one to the next.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinSet;

use super::generation::Generation;
use super::metrics::Metrics;
use crate::observe::journal::Sinks;
use crate::observe::log::AccessLog;
use crate::observe::tail::Tail;
use crate::observe::trace::Tracer;
use crate::stages::cache::Cache;

/// Where a gate counts and records.
#[derive(Debug)]
pub struct Archive {
    pub metrics: Arc<Metrics>,
    /// None: no access log.
    pub log: Option<AccessLog>,
    /// None: no traces.
    pub tracer: Option<Arc<Tracer>>,
    /// The feed of refusals.
    pub tail: Arc<Tail>,
}

#[derive(Debug)]
pub struct Gate {
    generation: ArcSwap<Generation>,
    /// Those that tend the upstreams of the serving generation: replaced with it, and ended.
    keepers: Mutex<JoinSet<()>>,
    /// Touched by swaps and by operators only.
    past: Mutex<Past>,
    pub metrics: Arc<Metrics>,
    pub(crate) sinks: Arc<Sinks>,
    /// For `explain`: every response carries the trail, and no server is asked.
    pub(crate) rehearses: bool,
    /// What is stored of responses; lives on over reloads.
    pub cache: Arc<Cache>,
    /// Resident bytes as last read, where that is of interest.
    pub(crate) memory: Arc<AtomicU64>,
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

impl Gate {
    /// Within a Tokio runtime, whose threads check and look up servers.
    pub fn new(first: Generation, archive: Archive) -> Arc<Gate> {
        let keepers = first.tend();
        Arc::new(Gate::of(first, archive, keepers, false))
    }

    /// A gate for `explain`: it never contacts servers, not even for health checks.
    pub(crate) fn rehearsal(only: Generation, archive: Archive) -> Arc<Gate> {
        Arc::new(Gate::of(only, archive, JoinSet::new(), true))
    }

    fn of(first: Generation, archive: Archive, keepers: JoinSet<()>, rehearses: bool) -> Gate {
        let mut cache = first.plan.cache.clone();
        // The folder is the serving gateway's.
        cache.disk = cache.disk.filter(|_| !rehearses);
        let Archive {
            metrics,
            log,
            tracer,
            tail,
        } = archive;
        let sinks = Sinks {
            metrics: metrics.exchanges.clone(),
            log,
            tracer,
            tail,
        };
        Gate {
            cache: Cache::new(&cache, &metrics.disk),
            keepers: Mutex::new(keepers),
            past: Mutex::new(Past {
                since: SystemTime::now(),
                replaced: Vec::new(),
            }),
            generation: ArcSwap::from_pointee(first),
            metrics,
            sinks: Arc::new(sinks),
            rehearses,
            memory: Arc::default(),
        }
    }

    /// A request holds this from its head to its last byte.
    pub fn lease(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Requests that begin from now on use `next`; the old generation is freed with its last lease.
    pub fn swap(&self, next: Generation) {
        if let Some(log) = &self.sinks.log {
            log.follow(&next.plan.log);
        }
        let next = Arc::new(next);
        let old = self.generation.swap(next.clone());
        // What a panic left behind is replaced whole.
        *self.keepers.lock() = next.tend();
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
        self.past.lock()
    }

    /// The feed of refusals.
    pub fn tail(&self) -> &Arc<Tail> {
        &self.sinks.tail
    }
}

impl Past {
    fn forget(&mut self) {
        let there = |old: &Replaced| old.generation.strong_count() > 0;
        self.replaced.retain(there);
    }
}
