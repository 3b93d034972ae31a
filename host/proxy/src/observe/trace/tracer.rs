//! Which trace an exchange is in, whether somebody keeps it, and the queue of those that are to be told of.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crossbeam_queue::ArrayQueue;
use http::{HeaderMap, Method, StatusCode};
use portcullis_config::plan::TracesPlan;
use portcullis_exchange::{Ids, Trail};

use super::context::{self, Parent};
use super::metrics::{Lost, TraceMetrics};

/// Lives as long as the process: what it is made of takes effect at the start.
#[derive(Debug)]
pub struct Tracer {
    pub(super) plan: TracesPlan,
    /// Keyed anew in each process, so that ids of two never meet and nobody can tell the next one.
    random: RandomState,
    made: AtomicU64,
    queue: ArrayQueue<Box<Finished>>,
    pub(super) metrics: TraceMetrics,
}

/// What an exchange is in a trace.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) ids: Ids,
    /// None: the trace begins here.
    pub(super) parent: Option<Parent>,
    pub(super) user_agent: Option<Box<str>>,
}

/// An exchange that is over, as its spans are made of it.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) place: Place,
    pub(super) trail: Trail,
    pub(super) began: SystemTime,
    pub(super) took: Duration,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) scheme: &'static str,
    pub(super) host: String,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) request_id: Arc<str>,
    pub(super) route: Option<Arc<str>>,
    /// The path of the route as it is written.
    pub(super) pattern: Option<Arc<str>>,
    pub(super) status: StatusCode,
    pub(super) refusal: Option<&'static str>,
    pub(super) cache: Option<&'static str>,
    pub(super) aborted: bool,
}

// === impl Tracer ===

impl Tracer {
    pub fn new(plan: &TracesPlan, metrics: &TraceMetrics) -> Arc<Tracer> {
        Arc::new(Tracer {
            plan: plan.clone(),
            random: RandomState::new(),
            made: AtomicU64::new(0),
            queue: ArrayQueue::new(plan.queue),
            metrics: metrics.clone(),
        })
    }

    /// Reads the parent of a request, where it is believed; else a trace begins, and what the request said of another
    /// one is taken out, so that nobody further on is told of two.
    pub(super) fn place(&self, headers: &mut HeaderMap, is_trusted: bool) -> Place {
        let believed = is_trusted || !self.plan.trusted_only;
        let parent = believed.then(|| Parent::of(headers)).flatten();
        if parent.is_none() {
            context::forget(headers);
        }
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        // Zero is no id (W3C Trace Context sections 3.2.2.3 and 3.2.2.4).
        let draw = |of: u8| self.random.hash_one((n, of)).max(1);
        let trace = parent.as_ref().map_or_else(
            || u128::from(draw(0)) << 64 | u128::from(draw(1)),
            |p| p.trace,
        );
        let sampled = parent
            .as_ref()
            .map_or_else(|| self.is_drawn(trace), |p| p.sampled);
        let agent = headers.get(http::header::USER_AGENT);
        let agent = agent.filter(|_| self.plan.user_agent);
        Place {
            ids: Ids {
                trace,
                span: draw(2),
                sampled,
            },
            parent,
            user_agent: agent.and_then(|value| value.to_str().ok()).map(Into::into),
        }
    }

    /// By the trace's id, so that every gateway with the same share keeps the same traces.
    fn is_drawn(&self, trace: u128) -> bool {
        let most = (1_u128 << 63) * u128::from(self.plan.sample) / 100;
        (trace & u128::from(u64::MAX)) >> 1 < most
    }

    /// Hands an exchange over to who tells of it, or counts what is lost. Never waits.
    pub(super) fn file(&self, finished: Box<Finished>) {
        if let Err(lost) = self.queue.push(finished) {
            self.metrics.lost(Lost::QueueFull, lost.spans());
        }
    }

    pub(super) fn next(&self) -> Option<Box<Finished>> {
        self.queue.pop()
    }
}

// === impl Finished ===

impl Finished {
    /// How many spans it makes.
    pub(super) fn spans(&self) -> u64 {
        1 + self.trail.read(|steps, _| steps.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_config::plan::{Endpoint, TraceProtocol};

    use crate::ground::registry::Book;

    use super::*;

    fn tracer(sample: u32) -> Arc<Tracer> {
        let plan = TracesPlan {
            endpoint: Endpoint {
                tls: false,
                address: "127.0.0.1:1".to_owned(),
                path: String::new(),
            },
            protocol: TraceProtocol::Http,
            headers: Vec::new(),
            service: String::new(),
            sample,
            trusted_only: false,
            user_agent: false,
            queue: 1,
            timeout: Duration::from_secs(1),
        };
        Tracer::new(
            &plan,
            &TraceMetrics::enter(&mut Book::default()).expect("a new book"),
        )
    }

    #[test]
    fn the_share_that_is_drawn_is_the_one_that_was_asked_for() {
        for sample in [0, 1, 30, 99, 100] {
            let tracer = tracer(sample);
            // In the middle of a thousandth each, so that no border decides.
            let thousandth = u128::from(u64::MAX / 1000);
            let ids = (0..1000).map(|n| thousandth * n + thousandth / 2);
            let drawn = ids.filter(|id| tracer.is_drawn(*id)).count();
            assert_eq!(drawn, sample as usize * 10, "{sample}%");
        }
        assert!(tracer(100).is_drawn(u128::MAX));
    }

    #[test]
    fn every_exchange_has_ids_of_its_own_and_no_id_is_zero() {
        let tracer = tracer(50);
        let mut spans = Vec::new();
        for _ in 0..1000 {
            let place = tracer.place(&mut HeaderMap::new(), false);
            assert!(place.parent.is_none() && place.ids.trace >> 64 != 0);
            spans.extend([place.ids.span, (place.ids.trace >> 64) as u64]);
        }
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), 2000);
        assert!(!spans.contains(&0));
    }
}
