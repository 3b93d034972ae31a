//! Steps of a trail as the stages take them. Each is None where there is no trail.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, Request, StatusCode};
use portcullis_exchange::{Exchange, Facts, Open, Trail, Try, What};

use super::context;

/// How a step ends that a rehearsal did not take.
pub(crate) const NOT_ASKED: &str = "not_asked";

/// The server of a try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) address: &'a Arc<str>,
    /// `https` or `http`.
    pub(crate) scheme: &'static str,
}

/// Which try of how many, and why there is another one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) number: u32,
    pub(crate) because: &'static str,
}

impl Default for Turn {
    /// Before the first.
    fn default() -> Turn {
        Turn {
            number: 0,
            because: "first",
        }
    }
}

impl Turn {
    pub(crate) fn first() -> Turn {
        Turn {
            number: 1,
            ..Turn::default()
        }
    }
}

pub(crate) fn step(x: &Exchange, what: What, of: &Arc<str>) -> Option<Open> {
    x.trail.as_ref().map(|trail| trail.enter(what, of))
}

/// Words beside a step.
pub(crate) fn note(step: &mut Option<Open>, words: &'static str) {
    if let Some(step) = step {
        step.know(Facts::Note(words));
    }
}

pub(crate) fn ended(step: Option<Open>, outcome: &'static str) {
    if let Some(step) = step {
        step.end(outcome);
    }
}

/// A server answered.
pub(crate) fn answered(step: Option<Open>, status: StatusCode) {
    if let Some(mut step) = step {
        step.answered(status);
        step.end("answered");
    }
}

/// A try of the exchange's own request, at an upstream of this name.
pub(crate) fn ask<B>(
    trail: Option<&Trail>,
    upstream: &Arc<str>,
    server: Asked<'_>,
    turn: Turn,
    request: &Request<B>,
) -> Option<Open> {
    let mut step = trail.map(|trail| trail.enter(What::Try, upstream));
    asks(&mut step, server, turn, request);
    step
}

/// A plugin's call of an upstream.
pub(crate) fn call(trail: Option<&Trail>, upstream: &Arc<str>) -> Option<Open> {
    trail.map(|trail| trail.enter(What::Call, upstream))
}

/// Notes which server is asked, and how often.
pub(crate) fn asks<B>(
    step: &mut Option<Open>,
    server: Asked<'_>,
    turn: Turn,
    request: &Request<B>,
) {
    let Some(step) = step else { return };
    let target = request.uri().path_and_query();
    step.know(Facts::Try(Try {
        server: server.address.clone(),
        number: turn.number,
        because: turn.because,
        scheme: server.scheme,
        target: target
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
        method: request.method().clone(),
        status: None,
    }));
}

/// Names the step as the parent of what the server does (W3C Trace Context).
pub(crate) fn mark(step: Option<&Open>, headers: &mut HeaderMap) {
    if let Some(ids) = step.and_then(Open::ids) {
        headers.insert(context::TRACEPARENT, context::write(ids));
    }
}
