//! What is counted of requests, as plain numbers: the same counters that /metrics shows. Who wants rates takes
//! differences.

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::proto::{Bucket, Metric};
use serde::Serialize;

use super::Metrics;
use crate::ground::registry::SECONDS;

/// Totals since the gateway started.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Live {
    /// Seconds: the upper bounds of all buckets but the last.
    pub bounds: &'static [f64],
    pub in_flight: i64,
    pub aborted: u64,
    /// By name; `-` is no route.
    pub routes: BTreeMap<String, RouteFigures>,
    /// By reason.
    pub refusals: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct RouteFigures {
    /// By class of status.
    pub statuses: BTreeMap<String, u64>,
    pub requests: u64,
    /// Seconds that they took together.
    pub seconds: f64,
    /// How many took no longer than each bound.
    pub buckets: Vec<u64>,
}

impl Metrics {
    pub fn live(&self) -> Live {
        let mut routes: BTreeMap<String, RouteFigures> = BTreeMap::new();
        each(&self.exchanges.durations, |metric| {
            let histogram = metric.get_histogram();
            let buckets = histogram.get_bucket().iter();
            let figures = routes.entry(label(metric, "route")).or_default();
            figures.requests = histogram.get_sample_count();
            figures.seconds = histogram.get_sample_sum();
            figures.buckets = buckets.map(Bucket::cumulative_count).collect();
        });
        each(&self.exchanges.requests, |metric| {
            let figures = routes.entry(label(metric, "route")).or_default();
            figures
                .statuses
                .insert(label(metric, "status"), count(metric));
        });
        let mut refusals: BTreeMap<String, u64> = BTreeMap::new();
        each(&self.exchanges.refusals, |metric| {
            *refusals.entry(label(metric, "reason")).or_default() += count(metric);
        });
        Live {
            bounds: SECONDS,
            in_flight: self.exchanges.in_flight.get(),
            aborted: self.exchanges.aborted.get(),
            routes,
            refusals,
        }
    }
}

fn each(family: &impl Collector, mut look: impl FnMut(&Metric)) {
    for family in family.collect() {
        family.get_metric().iter().for_each(&mut look);
    }
}

fn label(metric: &Metric, name: &str) -> String {
    let pair = metric.get_label().iter().find(|pair| pair.name() == name);
    pair.map(|pair| pair.value().to_owned()).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter of whole things that only grows"
)]
fn count(metric: &Metric) -> u64 {
    metric.get_counter().get_value() as u64
}
