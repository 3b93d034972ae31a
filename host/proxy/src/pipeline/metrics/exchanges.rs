//! What is counted of exchanges, by route.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Result};

use super::book::Book;
use super::{CLASSES, SECONDS, class};
use crate::ground::refusal::Reason;

/// The name of no route, for requests that found none.
const UNROUTED: &str = "-";

/// The families; one each per process.
#[derive(Debug)]
pub(super) struct Exchanges {
    pub(super) requests: IntCounterVec,
    pub(super) durations: HistogramVec,
    pub(super) refusals: IntCounterVec,
}

/// The counters of one route.
#[derive(Debug, Clone)]
pub struct RouteMetrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    classes: [IntCounter; CLASSES.len()],
    duration: Histogram,
    refusals: IntCounterVec,
    route: String,
    /// By reason, from the first refusal on: most routes never see most reasons.
    refused: [OnceLock<IntCounter>; Reason::ALL.len()],
}

// === impl Exchanges ===

impl Exchanges {
    pub(super) fn enter(book: &mut Book) -> Result<Exchanges> {
        Ok(Exchanges {
            requests: book.counters(
                "requests_total",
                "Exchanges, by route and class of status",
                &["route", "status"],
            )?,
            durations: book.histograms(
                "request_duration_seconds",
                "From the request head to the last byte of the response",
                &["route"],
                SECONDS,
            )?,
            refusals: book.counters(
                "refusals_total",
                "Exchanges that the gateway refused, by route and reason",
                &["route", "reason"],
            )?,
        })
    }

    /// Of requests that found no route. Every reason is there from the start, so that each can be asked for.
    pub(super) fn unrouted(&self) -> RouteMetrics {
        let unrouted = self.route(UNROUTED);
        for reason in Reason::ALL {
            unrouted.0.refused(*reason);
        }
        unrouted
    }

    pub(super) fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics(Arc::new(Counters {
            classes: CLASSES.map(|class| self.requests.with_label_values(&[name, class])),
            duration: self.durations.with_label_values(&[name]),
            refusals: self.refusals.clone(),
            route: name.to_owned(),
            refused: [const { OnceLock::new() }; Reason::ALL.len()],
        }))
    }
}

// === impl RouteMetrics ===

impl RouteMetrics {
    pub fn observe(&self, status: StatusCode, took: Duration) {
        self.0.classes[class(status)].inc();
        self.0.duration.observe(took.as_secs_f64());
    }

    pub fn refused(&self, reason: Reason) {
        self.0.refused(reason).inc();
    }
}

impl Counters {
    fn refused(&self, reason: Reason) -> &IntCounter {
        let labels = [&*self.route, reason.as_str()];
        self.refused[reason as usize].get_or_init(|| self.refusals.with_label_values(&labels))
    }
}
