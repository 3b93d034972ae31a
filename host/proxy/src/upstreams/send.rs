//! The one sender: asks a server of an upstream, else the next, within a policy, the time and the retry budget.
//!
//! ```text
//! enter (bulkhead) → pick → admit (breaker) → connect or reuse → send → judge: tell balancing, breaker, outlier detection
//!                     ↑_____________________________ retry or hedge ______________________________|
//! ```
//!
//! Forwarded requests, WebSocket handshakes, the calls of plugins and mirrored copies all come here. What differs is a
//! value, the [`Policy`]. The connection itself is behind [`crate::upstreams::connection::Connection`].

mod attempt;
mod hedge;
mod policy;
mod rehearsal;
mod replay;
mod retry;

use std::sync::Arc;
use std::time::Instant;

use http::header::HeaderValue;
use http::{Request, Response};
use portcullis_exchange::{Open, Trail};

use crate::ground::deadline::Deadline;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::watch::Watch;
use crate::upstreams::added::Added;
use crate::upstreams::connection::Connection;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::{Key, Ticket, Upstream};
use crate::upstreams::shield::Place;

pub(crate) use self::policy::Policy;
pub(crate) use self::rehearsal::rehearse;

/// Who sends: a worker, or a rehearsal, which asks no server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) worker: usize,
    pub(crate) rehearses: bool,
}

/// Leave to ask the servers of an upstream. Counts in its bulkhead until dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Option<Place>,
}

/// One request to an upstream: what all its tries have in common.
pub(crate) struct Sending<'a> {
    pub(crate) sender: Sender,
    pub(crate) upstream: &'a Upstream,
    pub(crate) policy: Policy<'a>,
    /// What the request's server is found by.
    pub(crate) key: Key,
    /// When it has to be over.
    pub(crate) end: Instant,
    /// The part of `end` that is not the upstream's.
    pub(crate) deadline: &'a Deadline,
    /// The progress of the request body.
    pub(crate) watch: &'a Watch,
    /// Bytes that the request body may have, for the message.
    pub(crate) max_body: u64,
    /// The Host for every server; None: each server's own.
    pub(crate) host: Option<&'a HeaderValue>,
    /// None: the request has it already, or is not a client's.
    pub(crate) added: Option<Added<'a>>,
    pub(crate) trail: Option<&'a Trail>,
}

/// What of the tries shows outside while they go on.
pub(crate) struct Progress<'a> {
    /// The address of the server that is asked.
    pub(crate) server: &'a mut Option<Arc<str>>,
    /// The step of a plugin's call, which all tries belong to; None: each try is a step of the exchange's trail.
    pub(crate) call: Option<&'a mut Option<Open>>,
}

/// A response whose body is still to come.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) connection: Connection,
    pub(crate) ticket: Ticket,
    /// When its head came.
    pub(crate) at: Instant,
}

/// Sending came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) refusal: Refusal,
}

/// How a try, or all of them, failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no server to ask.
    NoServer,
    /// The circuit breaker let nothing through.
    Open,
    /// There was no connection.
    Connect,
    /// It took longer than one try may.
    Slow,
    /// It took longer than the upstream may.
    Timeout,
    /// The time that the client or the route allows was over.
    Late,
    /// The connection ended before the response began.
    Closed,
    /// What came is not HTTP.
    Broken,
    /// The request's body failed, which is the client's doing.
    Body,
}

impl Upstream {
    /// Waits for a place among the exchanges at this upstream, at most until `until`.
    pub(crate) async fn enter(&self, until: Instant) -> Result<Entry, Refusal> {
        let place = self.shield.enter(until).await?;
        Ok(Entry { place })
    }
}

impl Entry {
    /// The place in the bulkhead, to be held for as long as the response takes; None: they are not counted.
    pub(crate) fn into_place(self) -> Option<Place> {
        self.place
    }
}

impl Sending<'_> {
    /// Sends a request until an answer is good enough, or nothing is left to try: then the last answer, or what became
    /// of the last try, stands.
    pub(crate) async fn send(
        &self,
        _entered: &Entry,
        request: &mut Request<RequestBody>,
        progress: Progress<'_>,
    ) -> Result<Answer, Failed> {
        retry::send(self, request, progress).await
    }
}

// === impl Failed ===

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Refusal {
        failed.refusal
    }
}

// === impl Failure ===

impl Failure {
    /// As a trail says it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Failure::NoServer => "no_server",
            Failure::Open => "circuit_open",
            Failure::Connect => "unreachable",
            Failure::Slow => "slow",
            Failure::Timeout => "timeout",
            Failure::Late => "deadline",
            Failure::Closed => "closed",
            Failure::Broken => "broken",
            Failure::Body => "request_body",
        }
    }

    fn reason(self) -> Reason {
        match self {
            Failure::Open => Reason::CircuitOpen,
            Failure::NoServer | Failure::Connect | Failure::Closed => Reason::UpstreamUnreachable,
            Failure::Slow | Failure::Timeout => Reason::UpstreamTimeout,
            Failure::Late => Reason::DeadlineExceeded,
            Failure::Broken => Reason::UpstreamBroken,
            Failure::Body => Reason::MalformedRequest,
        }
    }
}
