//! What the cache counts, by route.

use std::sync::Arc;

use portcullis_config::plan::RouteCache;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use serde::Serialize;

use crate::ground::registry::Book;
use crate::observe::record::CacheOutcome;

/// All of them; they live on over reloads.
#[derive(Debug)]
pub(crate) struct CacheMetrics {
    requests: IntCounterVec,
    stored: IntCounterVec,
    evicted: IntCounterVec,
    bytes: IntGaugeVec,
}

/// Those of one route.
#[derive(Debug, Clone)]
pub(crate) struct RouteCounters(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    requests: [IntCounter; CacheOutcome::ALL.len()],
    stored: IntCounter,
    evicted: IntCounter,
    bytes: IntGauge,
}

/// A route's rules and counters.
#[derive(Debug)]
pub struct RouteStore {
    pub(crate) route: Arc<str>,
    pub(crate) rules: RouteCache,
    pub(crate) counters: RouteCounters,
}

/// What the store did for a route since the start.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct RouteStatistics {
    pub hit: u64,
    pub stale: u64,
    pub revalidated: u64,
    pub coalesced: u64,
    pub miss: u64,
    pub bypass: u64,
    pub stored: u64,
    pub evicted: u64,
    pub bytes: i64,
}

impl RouteStore {
    pub fn statistics(&self) -> RouteStatistics {
        self.counters.statistics()
    }
}

impl CacheMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<CacheMetrics> {
        Ok(CacheMetrics {
            requests: book.counters(
                "cache_requests_total",
                "Exchanges of routes that store responses, by where the response came from",
                &["route", "result"],
            )?,
            stored: book.counters("cache_stored_total", "Responses stored", &["route"])?,
            evicted: book.counters(
                "cache_evicted_total",
                "Responses that made room for others",
                &["route"],
            )?,
            bytes: book.gauges(
                "cache_bytes",
                "Memory that stored responses take",
                &["route"],
            )?,
        })
    }

    /// The part of a route in the cache.
    pub(crate) fn store(&self, route: &Arc<str>, rules: RouteCache) -> RouteStore {
        RouteStore {
            route: route.clone(),
            rules,
            counters: self.route(route),
        }
    }

    pub(crate) fn route(&self, name: &str) -> RouteCounters {
        let requests =
            |outcome: CacheOutcome| self.requests.with_label_values(&[name, outcome.as_str()]);
        RouteCounters(Arc::new(Counters {
            requests: CacheOutcome::ALL.map(requests),
            stored: self.stored.with_label_values(&[name]),
            evicted: self.evicted.with_label_values(&[name]),
            bytes: self.bytes.with_label_values(&[name]),
        }))
    }
}

impl RouteCounters {
    pub(super) fn count(&self, outcome: CacheOutcome) {
        self.0.requests[outcome as usize].inc();
    }

    pub(super) fn stored(&self) {
        self.0.stored.inc();
    }

    pub(super) fn evicted(&self, responses: usize) {
        self.0.evicted.inc_by(responses as u64);
    }

    pub(super) fn grew(&self, bytes: i64) {
        self.0.bytes.add(bytes);
    }

    fn statistics(&self) -> RouteStatistics {
        let count = |outcome: CacheOutcome| self.0.requests[outcome as usize].get();
        RouteStatistics {
            hit: count(CacheOutcome::Hit),
            stale: count(CacheOutcome::Stale),
            revalidated: count(CacheOutcome::Revalidated),
            coalesced: count(CacheOutcome::Coalesced),
            miss: count(CacheOutcome::Miss),
            bypass: count(CacheOutcome::Bypass),
            stored: self.0.stored.get(),
            evicted: self.0.evicted.get(),
            bytes: self.0.bytes.get(),
        }
    }
}
