//! What the cache counts, by route.

use std::sync::Arc;

use portcullis_config::plan::RouteCache;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use serde::Serialize;

use crate::pipeline::metrics::Book;

/// All of them; they live on over reloads.
#[derive(Debug)]
pub(crate) struct Figures {
    requests: IntCounterVec,
    stored: IntCounterVec,
    evicted: IntCounterVec,
    bytes: IntGaugeVec,
}

/// Those of one route.
#[derive(Debug, Clone)]
pub(crate) struct RouteFigures(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    requests: [IntCounter; Outcome::ALL.len()],
    stored: IntCounter,
    evicted: IntCounter,
    bytes: IntGauge,
}

/// A route's rules and figures.
#[derive(Debug)]
pub struct RouteStore {
    pub(crate) rules: RouteCache,
    pub(crate) figures: RouteFigures,
}

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// From the store, fresh.
    Hit,
    /// From the store, no longer fresh.
    Stale,
    /// From the store, after the upstream said that it is still the one.
    Revalidated,
    /// From the answer to another request.
    Coalesced,
    /// From the upstream.
    Miss,
    /// From the upstream, the store not asked.
    Bypass,
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
        self.figures.statistics()
    }
}

impl Outcome {
    pub(crate) const ALL: [Outcome; 6] = [
        Outcome::Hit,
        Outcome::Stale,
        Outcome::Revalidated,
        Outcome::Coalesced,
        Outcome::Miss,
        Outcome::Bypass,
    ];

    /// The metric label and the field of the access log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::Stale => "stale",
            Outcome::Revalidated => "revalidated",
            Outcome::Coalesced => "coalesced",
            Outcome::Miss => "miss",
            Outcome::Bypass => "bypass",
        }
    }
}

impl Figures {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<Figures> {
        Ok(Figures {
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

    pub(crate) fn route(&self, name: &str) -> RouteFigures {
        let requests =
            |outcome: Outcome| self.requests.with_label_values(&[name, outcome.as_str()]);
        RouteFigures(Arc::new(Counters {
            requests: Outcome::ALL.map(requests),
            stored: self.stored.with_label_values(&[name]),
            evicted: self.evicted.with_label_values(&[name]),
            bytes: self.bytes.with_label_values(&[name]),
        }))
    }
}

impl RouteFigures {
    pub(super) fn count(&self, outcome: Outcome) {
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
        let count = |outcome: Outcome| self.0.requests[outcome as usize].get();
        RouteStatistics {
            hit: count(Outcome::Hit),
            stale: count(Outcome::Stale),
            revalidated: count(Outcome::Revalidated),
            coalesced: count(Outcome::Coalesced),
            miss: count(Outcome::Miss),
            bypass: count(Outcome::Bypass),
            stored: self.0.stored.get(),
            evicted: self.0.evicted.get(),
            bytes: self.0.bytes.get(),
        }
    }
}
