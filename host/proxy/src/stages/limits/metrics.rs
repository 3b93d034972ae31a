//! The metrics of limits.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use super::Limits;
use super::outcome::Outcome;
use crate::ground::registry::{Book, clamped};

#[derive(Debug)]
pub struct LimitMetrics {
    decisions: IntCounterVec,
    keys: IntGaugeVec,
    evictions: IntCounterVec,
    crowded: IntCounterVec,
    under_way: IntGaugeVec,
}

/// The counters of one limit on one route, by outcome.
#[derive(Debug)]
pub(super) struct Decisions([IntCounter; 5]);

impl Decisions {
    pub(super) fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].inc();
    }
}

impl LimitMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<LimitMetrics> {
        Ok(LimitMetrics {
            decisions: book.counters(
                "limit_decisions_total",
                "Decisions of limits, by outcome (allowed, refused, delayed, would_refuse, unanswered)",
                &["route", "limit", "outcome"],
            )?,
            keys: book.gauges(
                "limit_keys",
                "Keys that a limit remembers; route `*`: of all routes that share it",
                &["route", "limit"],
            )?,
            evictions: book.counters(
                "limit_evictions_total",
                "Keys that a limit forgot before their time, because max_keys were there",
                &["route", "limit"],
            )?,
            crowded: book.counters(
                "limit_crowded_total",
                "Decisions for keys that found no place among keys over their limit, on a count they share",
                &["route", "limit"],
            )?,
            under_way: book.gauges(
                "limit_under_way",
                "Requests under way that a limit of concurrency counts",
                &["route", "limit"],
            )?,
        })
    }

    pub(super) fn decisions(&self, route: &Arc<str>, limit: &Arc<str>) -> Decisions {
        let counter = |outcome: Outcome| {
            let labels: [&str; 3] = [route, limit, outcome.as_str()];
            self.decisions.with_label_values(&labels)
        };
        Decisions(Outcome::ALL.map(counter))
    }

    /// Reads what the stores hold now.
    pub(crate) fn read(&self, limits: &Limits) {
        self.keys.reset();
        self.evictions.reset();
        self.crowded.reset();
        self.under_way.reset();
        for ((route, limit), counts) in &limits.rates {
            let labels: [&str; 2] = [route, limit];
            let figures = counts.store.figures();
            self.keys
                .with_label_values(&labels)
                .set(clamped(figures.keys));
            self.evictions
                .with_label_values(&labels)
                .inc_by(figures.evictions);
            self.crowded
                .with_label_values(&labels)
                .inc_by(figures.crowded);
        }
        for ((route, limit), crowd) in &limits.crowds {
            let labels: [&str; 2] = [route, limit];
            self.under_way
                .with_label_values(&labels)
                .set(clamped(crowd.size()));
        }
    }
}
