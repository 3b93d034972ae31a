//! Steps as the request's way takes them. Each is None where nobody looks.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, Request, StatusCode};
use portcullis_runtime::{Exchange, Facts, Open, Trail, Try, What};

use super::context;
use crate::upstreams::servers::{Server, Upstream};

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

/// A try of the exchange's own request.
pub(crate) fn ask<B>(
    x: &Exchange,
    upstream: &Upstream,
    server: &Server,
    turn: Turn,
    request: &Request<B>,
) -> Option<Open> {
    let mut step = step(x, What::Try, &upstream.name);
    asks(&mut step, server, turn, request);
    step
}

/// A plugin's call of an upstream.
pub(crate) fn call(trail: Option<&Trail>, upstream: &Upstream) -> Option<Open> {
    trail.map(|trail| trail.enter(What::Call, &upstream.name))
}

/// Notes which server is asked, and how often.
pub(crate) fn asks<B>(step: &mut Option<Open>, server: &Server, turn: Turn, request: &Request<B>) {
    let Some(step) = step else { return };
    let target = request.uri().path_and_query();
    step.know(Facts::Try(Try {
        server: server.address.clone(),
        number: turn.number,
        because: turn.because,
        scheme: server.dial.scheme(),
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
