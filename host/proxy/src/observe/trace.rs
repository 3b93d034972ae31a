//! Views of an exchange's trail: the spans of a trace, the response to a signed debug request, Server-Timing. Without
//! any of them there is no trail, and nothing here allocates.

mod collector;
mod context;
mod debug;
mod export;
mod headers;
mod metrics;
mod spans;
mod step;
mod tracer;
pub mod view;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use portcullis_config::plan::Secret;
use portcullis_exchange::{Exchange, Open, Trail, What};

use self::tracer::{Finished, Place};
use crate::ground::refusal::Reason;
use crate::observe::record::{CacheOutcome, Record};

pub(crate) use context::TRACESTATE;
pub use debug::{DEBUG, LONGEST, sign};
pub use export::Exporter;
pub use metrics::TraceMetrics;
pub(crate) use step::{Asked, NOT_ASKED, Turn, answered, ask, asks, call, ended, mark, note, step};
pub use tracer::Tracer;
pub use view::TRAIL;

/// Trace, debug-header and Server-Timing state of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    trail: Option<Trail>,
    /// With `[traces]`.
    place: Option<Box<Place>>,
    /// The response carries the trail: the request was signed, or this is a rehearsal.
    shown: bool,
    /// The response carries `Server-Timing`.
    timed: bool,
    finding: Option<Open>,
    scheme: &'static str,
    pattern: Option<Arc<str>>,
}

/// What is known when a trace begins.
pub(crate) struct Beginning<'a> {
    /// Signs debug requests; None: there are none.
    pub(crate) debug_key: Option<&'a Secret>,
    /// The response carries the trail, signed or not.
    pub(crate) shown: bool,
    /// With `[traces]`.
    pub(crate) tracer: Option<&'a Tracer>,
    /// The peer is a trusted proxy.
    pub(crate) is_trusted: bool,
    pub(crate) scheme: &'static str,
    pub(crate) began: Instant,
}

/// What of a route shows in traces.
pub(crate) struct Routed<'a> {
    pub(crate) name: &'a Arc<str>,
    /// As it is written: `/api/users/{id}`.
    pub(crate) pattern: &'a Arc<str>,
    pub(crate) server_timing: bool,
}

// === impl Trace ===

impl Trace {
    /// Takes out of the request what is only for the gateway.
    pub(crate) fn begin<B>(at: Beginning<'_>, request: &mut Request<B>) -> Trace {
        let shown = debug::take(at.debug_key, request) || at.shown;
        let tracer = at.tracer;
        let place = tracer.map(|tracer| tracer.place(request.headers_mut(), at.is_trusted));
        let ids = place.as_ref().map(|place| place.ids);
        Trace {
            trail: (shown || ids.is_some()).then(|| Trail::begin(at.began, ids)),
            place: place.map(Box::new),
            shown,
            scheme: at.scheme,
            ..Trace::default()
        }
    }

    pub(crate) fn admitted(&mut self, x: &mut Exchange) {
        x.trail.clone_from(&self.trail);
        self.scheme = x.scheme;
        self.finding = step(x, What::Find, &x.route);
    }

    pub(crate) fn routed(&mut self, route: &Routed<'_>, x: &mut Exchange, began: Instant) {
        self.timed = route.server_timing;
        if let Some(mut finding) = self.finding.take() {
            finding.about(route.name.clone());
            finding.end("found");
            self.pattern = Some(route.pattern.clone());
        }
        if self.timed && self.trail.is_none() {
            self.trail = Some(Trail::begin(began, None));
            x.trail.clone_from(&self.trail);
        }
    }

    pub(crate) fn refused(&mut self) {
        if let Some(finding) = self.finding.take() {
            finding.end("refused");
        }
    }

    /// None: the exchange is in no trace.
    pub(crate) fn id(&self) -> Option<u128> {
        self.place.as_ref().map(|place| place.ids.trace)
    }

    /// Adds to a response what its client may know of the trail.
    pub(crate) fn write(&self, record: &Record, response: &mut HeaderMap) {
        let Some(trail) = &self.trail else { return };
        if self.timed {
            headers::server_timing(trail, response);
        }
        if self.shown {
            headers::trail(trail, record, response);
        }
    }
}

/// An exchange is over. Its trace is exported where that was decided when it began, and where the exchange failed.
pub(crate) fn file(trace: Trace, record: &mut Record, tracer: &Tracer, took: Duration) {
    let (Some(place), Some(trail)) = (trace.place, trace.trail) else {
        return;
    };
    if !place.ids.sampled && !record.status.is_server_error() {
        return;
    }
    tracer.file(Box::new(Finished {
        place: *place,
        trail,
        began: record.time,
        took,
        method: record.method.clone(),
        path: record.path().to_owned(),
        scheme: trace.scheme,
        host: record.host.to_string(),
        client_ip: record.client_ip,
        request_id: record.request_id.clone(),
        route: record.route.take(),
        pattern: trace.pattern,
        status: record.status,
        refusal: record.refusal.map(Reason::as_str),
        cache: record.cache.map(CacheOutcome::as_str),
        aborted: record.aborted,
    }));
}
