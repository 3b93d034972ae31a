//! The journal: writes the record of one exchange and closes with the last body byte, however that came about. The
//! access-log line, the metrics, the trace and the feed of refusals are made when it closes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::response::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use portcullis_config::plan::RouteLog;
use portcullis_exchange::Exchange;

use crate::ground::refusal::Refusal;
use crate::observe::exchanges::{ExchangeMetrics, RouteMetrics};
use crate::observe::log::AccessLog;
use crate::observe::record::{Doubts, Record, SocketRecord};
use crate::observe::tail::Tail;
use crate::observe::tap::Tap;
use crate::observe::trace::{self, Trace, Tracer};
use crate::observe::watch::Watch;

/// Where records go when their exchange has ended.
#[derive(Debug)]
pub(crate) struct Sinks {
    pub(crate) metrics: Arc<ExchangeMetrics>,
    /// None: no access log.
    pub(crate) log: Option<AccessLog>,
    /// None: no traces.
    pub(crate) tracer: Option<Arc<Tracer>>,
    /// The feed of refusals.
    pub(crate) tail: Arc<Tail>,
}

/// The record of an exchange while it is written, and what is held until its end.
pub struct Journal {
    sinks: Arc<Sinks>,
    pub(crate) record: Record,
    /// Trace, debug-header and Server-Timing state.
    pub(crate) trace: Trace,
    route: Option<RouteMetrics>,
    /// Not a client's request: only the upstream counts it.
    own: bool,
    /// Its metrics are written; only the line is still to come.
    counted: bool,
    /// How many bytes of the response body the access log may have.
    log_response: Option<usize>,
    closed: bool,
    /// Headers that plugins set or removed: the upstream has no second word on them in a trailer.
    pub(crate) not_in_trailers: Vec<HeaderName>,
    /// Held until the exchange has ended.
    held: Vec<Box<dyn Send + Sync>>,
    /// Held until the response has ended; a WebSocket does not hold them.
    places: Vec<Box<dyn Send + Sync>>,
}

impl Journal {
    pub(crate) fn open(
        sinks: Arc<Sinks>,
        client_ip: IpAddr,
        method: Method,
        target: Option<PathAndQuery>,
        request_id: Arc<str>,
    ) -> Journal {
        Journal::of(
            sinks,
            Record::new(Some(client_ip), method, target, request_id),
        )
    }

    fn of(sinks: Arc<Sinks>, record: Record) -> Journal {
        sinks.metrics.in_flight.inc();
        Journal {
            sinks,
            record,
            trace: Trace::default(),
            route: None,
            own: false,
            counted: false,
            log_response: None,
            closed: false,
            not_in_trailers: Vec::new(),
            held: Vec::new(),
            places: Vec::new(),
        }
    }

    /// For a request that the gateway makes for itself, to renew what it has stored.
    pub(crate) fn renewal(&self) -> Box<Journal> {
        let mut own = Journal::of(self.sinks.clone(), self.record.renewal());
        own.own = true;
        Box::new(own)
    }

    pub(crate) fn began(&self) -> Instant {
        self.record.began
    }

    /// What admission established.
    pub(crate) fn admitted(&mut self, x: &mut Exchange, doubts: Doubts) {
        self.trace.admitted(x);
        let record = &mut self.record;
        record.trace = self.trace.id();
        record.client_ip = x.client_ip;
        self.sinks.metrics.dropped(&doubts.dropped);
        record.doubts = doubts;
        // An extended CONNECT was admitted as a GET.
        record.method.clone_from(&x.method);
        record.admitted_as(&x.target);
        record.host.clone_from(&x.host);
        record.excerpt = self.sinks.log.as_ref().and_then(|log| log.request(x));
    }

    /// The route was found: `name`, its metrics.
    pub(crate) fn routed(&mut self, name: &Arc<str>, metrics: &RouteMetrics) {
        self.record.route = Some(name.clone());
        self.route = Some(metrics.clone());
    }

    /// Watches the request body, and keeps of it what the route wants logged. `none`: the watch of requests without one.
    pub(crate) fn watch(
        &mut self,
        wanted: RouteLog,
        x: &Exchange,
        none: Option<&Arc<Watch>>,
    ) -> Arc<Watch> {
        let log = self.sinks.log.as_ref();
        let wanted = log.map_or_else(RouteLog::default, |_| wanted);
        let tap = wanted.request_body;
        let tap = tap.map(|limit| Tap::new(&x.request, limit));
        if tap.is_some() {
            let excerpt = self.record.excerpt.get_or_insert_default();
            excerpt.request_body.clone_from(&tap);
        }
        let watch = match none.filter(|_| tap.is_none()) {
            Some(none) => none.clone(),
            None => Arc::new(Watch::tapped(tap)),
        };
        self.record.request_body = Some(watch.clone());
        self.log_response = wanted.response_body;
        watch
    }

    /// The tap for the response body; None where the route does not want it logged.
    pub(crate) fn tap(&mut self, headers: &HeaderMap) -> Option<Tap> {
        let tap = Tap::new(headers, self.log_response?);
        let excerpt = self.record.excerpt.get_or_insert_default();
        excerpt.response_body = Some(tap.clone());
        Some(tap)
    }

    /// The head of the response as the client sees it.
    pub(crate) fn headed(&mut self, head: &Parts) {
        self.record.status = head.status;
        if let (Some(log), Some(excerpt)) = (&self.sinks.log, &mut self.record.excerpt) {
            log.response(excerpt, &head.headers);
        }
    }

    /// Keeps something until the exchange has ended.
    pub(crate) fn keep(&mut self, held: impl Send + Sync + 'static) {
        self.held.push(Box::new(held));
    }

    /// Keeps a place of a bulkhead until the response has ended.
    pub(crate) fn hold(&mut self, place: Option<impl Send + Sync + 'static>) {
        if let Some(place) = place {
            self.places.push(Box::new(place));
        }
    }

    /// Notes that what is forwarded is not what was authorized, because a filter changed it.
    pub(crate) fn rewritten(&mut self, note: Option<String>) {
        self.record.because = note.or(self.record.because.take());
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.trace.refused();
        self.record.refuse(refusal);
    }

    /// The response could not be sent to its end.
    pub(crate) fn broke_off(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.record.aborted = true;
        let because = &mut self.record.because;
        because.get_or_insert_with(|| error.to_string());
    }

    pub(crate) fn close(mut self: Box<Self>, finished: bool) {
        self.record.aborted |= !finished;
        self.file();
    }

    /// The response is complete, and a WebSocket begins with it: counted now as the request it was, logged when the
    /// socket ends.
    pub(crate) fn answered(&mut self) {
        // Places bound requests; sockets have limits of their own.
        self.places.clear();
        self.count(self.record.began.elapsed());
        self.counted = true;
    }

    /// How the WebSocket went.
    pub(crate) fn tunnelled(&mut self, socket: SocketRecord, because: Option<String>) {
        let record = &mut self.record;
        record.bytes_out = socket.passed[1].bytes;
        record.socket = Some(socket);
        record.because = because.or(record.because.take());
    }

    /// The end of an exchange, however it came: the one place where every view of its record is made.
    fn file(&mut self) {
        self.closed = true;
        self.sinks.tail.ended(&self.record);
        let took = self.record.began.elapsed();
        if !self.counted {
            self.count(took);
        }
        if self.record.aborted {
            self.sinks.metrics.aborted.inc();
        }
        if let Some(log) = &self.sinks.log {
            log.write(&self.record, took);
        }
        if let Some(tracer) = &self.sinks.tracer {
            let trace = std::mem::take(&mut self.trace);
            trace::file(trace, &mut self.record, tracer, took);
        }
    }

    fn count(&self, took: Duration) {
        let (metrics, record) = (&self.sinks.metrics, &self.record);
        metrics.in_flight.dec();
        let route = self.route.as_ref().unwrap_or(&metrics.unrouted);
        if !self.own {
            route.observe(record.status, took);
        }
        if let Some(reason) = record.refusal {
            route.refused(reason);
        }
        metrics.bytes_out.inc_by(record.bytes_out);
        metrics.bytes_in.inc_by(record.bytes_in());
    }
}

impl Drop for Journal {
    // A client that left before there was a response: the exchange's future was dropped, the journal with it. Or a
    // WebSocket that was cut when its worker ended.
    fn drop(&mut self) {
        if !self.closed {
            self.record.aborted = true;
            let cut = if self.counted {
                "cut at the end of the drain"
            } else {
                self.record.status = StatusCode::from_u16(499).expect("a valid code");
                "the client left before the response"
            };
            let because = &mut self.record.because;
            because.get_or_insert_with(|| cut.into());
            self.file();
        }
    }
}
