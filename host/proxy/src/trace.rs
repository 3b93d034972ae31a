//! Who wants to see an exchange's trail, and what they are told: the spans of a trace, the answer to a signed debug
//! request, Server-Timing. Where nobody wants to, there is no trail and nothing here allocates.

mod context;
mod debug;
mod step;
mod told;

use std::time::Instant;

use http::{HeaderMap, Request};
use portcullis_runtime::{Exchange, Open, Trail, What};

use crate::gate::Gate;
use crate::generation::{Generation, Route};
use crate::journal::Journal;

pub(crate) use context::TRACESTATE;
pub use debug::{LONGEST, sign};
pub(crate) use step::{Turn, answered, ask, asks, call, ended, mark, note, step};

/// What an exchange keeps for those who look at it.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    trail: Option<Trail>,
    /// A signed request is told the trail.
    told: bool,
    /// Clients are told what plugins took.
    timed: bool,
    finding: Option<Open>,
}

// === impl Trace ===

impl Trace {
    /// Takes out of the request what is only for us.
    pub(crate) fn begin<B>(
        gate: &Gate,
        generation: &Generation,
        request: &mut Request<B>,
        began: Instant,
    ) -> Trace {
        let told = debug::take(generation.plan.debug_key.as_ref(), request) || gate.rehearses;
        Trace {
            trail: told.then(|| Trail::begin(began, None)),
            told,
            ..Trace::default()
        }
    }

    pub(crate) fn admitted(&mut self, x: &mut Exchange) {
        x.trail.clone_from(&self.trail);
        self.finding = step(x, What::Find, &x.route);
    }

    pub(crate) fn routed(&mut self, route: &Route, x: &mut Exchange, began: Instant) {
        self.timed = route.server_timing;
        if let Some(mut finding) = self.finding.take() {
            finding.about(route.name.clone());
            finding.end("found");
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
