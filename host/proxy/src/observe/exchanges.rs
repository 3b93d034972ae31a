//! What is counted of exchanges, by route.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Result};

use crate::ground::refusal::Reason;
use crate::ground::registry::{Book, CLASSES, SECONDS, class};
use crate::ground::sift::Dropped;

/// The name of no route, for requests that found none.
const UNROUTED: &str = "-";

/// The families, and the counters of all routes together; one each per process.
#[derive(Debug)]
pub struct ExchangeMetrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) durations: HistogramVec,
    pub(crate) refusals: IntCounterVec,
    pub(crate) unrouted: RouteMetrics,
    pub(crate) in_flight: IntGauge,
    pub(crate) aborted: IntCounter,
    pub(crate) bytes_in: IntCounter,
    pub(crate) bytes_out: IntCounter,
    /// By kind: `forwarding`, `ambiguous`.
    dropped: [IntCounter; 2],
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

// === impl ExchangeMetrics ===

impl ExchangeMetrics {
    pub(crate) fn enter(book: &mut Book) -> Result<ExchangeMetrics> {
        let requests = book.counters(
            "requests_total",
            "Exchanges, by route and class of status",
            &["route", "status"],
        )?;
        let durations = book.histograms(
            "request_duration_seconds",
            "From the request head to the last byte of the response",
            &["route"],
            SECONDS,
        )?;
        let refusals = book.counters(
            "refusals_total",
            "Exchanges that the gateway refused, by route and reason",
            &["route", "reason"],
        )?;
        let unrouted = RouteMetrics::new(UNROUTED, &requests, &durations, &refusals);
        // Every reason is there from the start, so that each can be queried.
        for reason in Reason::ALL {
            unrouted.0.refused(*reason);
        }
        Ok(ExchangeMetrics {
            requests,
            durations,
            refusals,
            unrouted,
            in_flight: book.gauge(
                "requests_in_flight",
                "Exchanges that have begun and not ended",
            )?,
            aborted: book.counter(
                "aborted_total",
                "Exchanges that ended before their last byte",
            )?,
            bytes_in: book.counter(
                "request_body_bytes_total",
                "Bytes of request bodies received",
            )?,
            bytes_out: book
                .counter("response_body_bytes_total", "Bytes of response bodies sent")?,
            dropped: {
                let dropped = book.counters(
                    "request_headers_dropped_total",
                    "Header fields taken out of requests, by kind (forwarding: a client that is no trusted proxy spoke for one; ambiguous: services could take the name for another)",
                    &["kind"],
                )?;
                ["forwarding", "ambiguous"].map(|kind| dropped.with_label_values(&[kind]))
            },
        })
    }

    pub(crate) fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics::new(name, &self.requests, &self.durations, &self.refusals)
    }

    /// Counts the header fields that were taken out of a request.
    pub(crate) fn dropped(&self, dropped: &Dropped) {
        let all = [&dropped.forwarding, &dropped.ambiguous];
        for (counter, names) in self.dropped.iter().zip(all) {
            if !names.is_empty() {
                counter.inc_by(names.len() as u64);
            }
        }
    }
}

// === impl RouteMetrics ===

impl RouteMetrics {
    fn new(
        name: &str,
        requests: &IntCounterVec,
        durations: &HistogramVec,
        refusals: &IntCounterVec,
    ) -> RouteMetrics {
        RouteMetrics(Arc::new(Counters {
            classes: CLASSES.map(|class| requests.with_label_values(&[name, class])),
            duration: durations.with_label_values(&[name]),
            refusals: refusals.clone(),
            route: name.to_owned(),
            refused: [const { OnceLock::new() }; Reason::ALL.len()],
        }))
    }

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
