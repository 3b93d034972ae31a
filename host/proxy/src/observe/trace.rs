//! Who wants to see an exchange's trail, and what they are told: the spans of a trace, the answer to a signed debug
//! request, Server-Timing. Where nobody wants to, there is no trail and nothing here allocates.

mod collector;
mod context;
mod debug;
mod export;
mod figures;
mod spans;
mod step;
mod told;
mod tracer;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Request};
use portcullis_runtime::{Exchange, Open, Trail, What};

use self::tracer::{Finished, Place};
use crate::observe::journal::Journal;
use crate::pipeline::gate::Gate;
use crate::pipeline::generation::{Generation, Route};
use crate::stages::admit::Peer;

pub(crate) use context::TRACESTATE;
pub use debug::{DEBUG, LONGEST, sign};
pub use export::Exporter;
pub(crate) use figures::Figures;
pub(crate) use step::{Turn, answered, ask, asks, call, ended, mark, note, step};
pub use told::TRAIL;
pub use tracer::Tracer;

/// What an exchange keeps for those who look at it.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    trail: Option<Trail>,
    /// With `[traces]`.
    place: Option<Box<Place>>,
    /// A signed request is told the trail.
    told: bool,
    /// Clients are told what plugins took.
    timed: bool,
    finding: Option<Open>,
    scheme: &'static str,
    pattern: Option<Arc<str>>,
}

// === impl Trace ===

impl Trace {
    /// Takes out of the request what is only for us.
    pub(crate) fn begin<B>(
        gate: &Gate,
        generation: &Generation,
        peer: Peer<'_>,
        request: &mut Request<B>,
        began: Instant,
    ) -> Trace {
        let told = debug::take(generation.plan.debug_key.as_ref(), request) || gate.rehearses;
        let tracer = gate.archive.tracer.as_ref();
        let place = tracer.map(|tracer| tracer.place(request.headers_mut(), peer.is_trusted()));
        let ids = place.as_ref().map(|place| place.ids);
        Trace {
            trail: (told || ids.is_some()).then(|| Trail::begin(began, ids)),
            place: place.map(Box::new),
            told,
            scheme: peer.scheme,
            ..Trace::default()
        }
    }

    pub(crate) fn admitted(&mut self, x: &mut Exchange) {
        x.trail.clone_from(&self.trail);
        self.scheme = x.scheme;
        self.finding = step(x, What::Find, &x.route);
    }

    pub(crate) fn routed(&mut self, route: &Route, x: &mut Exchange, began: Instant) {
        self.timed = route.server_timing;
        if let Some(mut finding) = self.finding.take() {
            finding.about(route.name.clone());
            finding.end("found");
            self.pattern = Some(route.path.clone());
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

    /// In hexadecimal, as the access log and traces know it.
    pub(crate) fn id(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        Some(format!("{:032x}", place.ids.trace))
    }
}

/// The last touch on an answer: what its client may know of the trail.
pub(crate) fn tell(journal: &Journal, headers: &mut HeaderMap) {
    let Trace {
        trail: Some(trail),
        told,
        timed,
        ..
    } = &journal.trace
    else {
        return;
    };
    if *timed {
        told::server_timing(trail, headers);
    }
    if *told {
        told::trail(trail, journal, headers);
    }
}

/// An exchange is over. It is kept where that was decided when its trace began, and where it went wrong.
pub(crate) fn file(journal: &mut Journal, tracer: &Tracer, began: SystemTime, took: Duration) {
    let trace = std::mem::take(&mut journal.trace);
    let (Some(place), Some(trail)) = (trace.place, trace.trail) else {
        return;
    };
    if !place.ids.sampled && !journal.status.is_server_error() {
        return;
    }
    tracer.file(Box::new(Finished {
        place: *place,
        trail,
        began,
        took,
        method: journal.method.clone(),
        path: std::mem::take(&mut journal.path),
        scheme: trace.scheme,
        host: std::mem::take(&mut journal.host),
        client_ip: journal.client_ip,
        request_id: journal.request_id.clone(),
        route: journal.route.take(),
        pattern: trace.pattern,
        status: journal.status,
        refusal: journal.refusal.map(crate::ground::refusal::Reason::as_str),
        cache: journal.cache.map(crate::stages::cache::Outcome::as_str),
        aborted: journal.aborted,
    }));
}
