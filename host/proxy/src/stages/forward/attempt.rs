//! One try: a request at one server.

use std::time::Instant;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use portcullis_config::plan::Retry;
use portcullis_runtime::{Exchange, Open};

use super::spare::Spare;
use super::write_host;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::trace::{self, Turn};
use crate::pipeline::exchange::body_refusal;
use crate::pipeline::gate::Worker;
use crate::pipeline::metrics::Connected;
use crate::stages::body::{RequestBody, Watch};
use crate::stages::forwarded::Provenance;
use crate::upstreams::connection::{Connection, SendError};
use crate::upstreams::servers::{Key, Ticket, Upstream, Verdict};
use crate::upstreams::shield::Shield;

/// What all tries of an exchange have in common.
pub(super) struct Run<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) shield: &'a Shield,
    pub(super) retry: &'a Retry,
    /// What the request's server is found by.
    pub(super) key: Key,
    pub(super) worker: &'a Worker,
    pub(super) watch: &'a Watch,
    /// When the whole exchange has to be over.
    pub(super) end: Instant,
    /// The part of `end` that is not the upstream's.
    pub(super) deadline: &'a Deadline,
    /// Of the route, for the message.
    pub(super) max_body: u64,
    pub(super) x: &'a Exchange,
    pub(super) provenance: &'a Provenance,
}

/// A response whose body is still to come.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) connection: Connection,
    pub(super) ticket: Ticket,
}

/// A try without an answer.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) refusal: Refusal,
    /// The request, where not a byte of it was sent.
    pub(super) unsent: Option<Request<RequestBody>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
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

// === impl Run ===

impl Run<'_> {
    /// Asks one server; tells metrics, upstream and breaker what came of it. `spare` is there where the request may be
    /// sent twice.
    pub(super) async fn attempt(
        &self,
        mut request: Request<RequestBody>,
        ticket: Ticket,
        turn: Turn,
        spare: Option<&Spare>,
    ) -> Result<Answer, Box<Failed>> {
        let step = trace::ask(self.x, self.upstream, ticket.server(), turn, &request);
        if self.deadline.is_over() {
            let failed = self.failed(Failure::Late, &ticket, "not asked");
            return tell(step, Err(Box::new(failed)));
        }
        let pass = match self.shield.admit() {
            Ok(pass) => pass,
            Err(refusal) => return tell(step, Err(Box::new(Failed::closed_circuit(refusal)))),
        };
        self.address(&mut request, &ticket, step.as_ref());
        let began = Instant::now();
        let asked = self.ask(request, &ticket, spare, step.as_ref()).await;
        let verdict = match &asked {
            Ok((response, _)) => Some(Verdict::Answered(response.status())),
            Err(failed) => failed.failure.verdict(),
        };
        if let Some(verdict) = verdict {
            self.upstream.tell(&ticket, verdict, began.elapsed());
            pass.tell(!verdict.is_failure());
        }
        let answer = asked.map(|(response, connection)| Answer {
            response,
            connection,
            ticket,
        });
        tell(step, answer)
    }

    /// Writes what is different for each server and try.
    fn address(&self, request: &mut Request<RequestBody>, ticket: &Ticket, step: Option<&Open>) {
        write_host(request, self.x, self.upstream, ticket, self.provenance);
        self.deadline.write(request.headers_mut());
        trace::mark(step, request.headers_mut());
    }

    /// Over an idle connection while there is one, else over a new one.
    async fn ask(
        &self,
        mut request: Request<RequestBody>,
        ticket: &Ticket,
        spare: Option<&Spare>,
        step: Option<&Open>,
    ) -> Result<(Response<Incoming>, Connection), Box<Failed>> {
        let per_try = spare.and(self.retry.per_try);
        let end = per_try.map_or(self.end, |limit| self.end.min(Instant::now() + limit));
        loop {
            let reused = ticket.reuse();
            let fresh = reused.is_none();
            let mut connection = match reused {
                Some(connection) => {
                    self.upstream.metrics.connected(Connected::Reused);
                    connection
                }
                None => match self.connect(ticket, end).await {
                    Ok(connection) => connection,
                    Err(text) => {
                        let late = self.deadline.is_over();
                        let failure = if late {
                            Failure::Late
                        } else {
                            Failure::Connect
                        };
                        let failed = self.failed(failure, ticket, &text);
                        return Err(Box::new(failed.with(request)));
                    }
                },
            };
            let Some(sent) = self.send(&mut connection, request, end).await else {
                return Err(Box::new(self.timed_out(ticket, end)));
            };
            let error = match sent {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    let text = "switched protocols unasked";
                    return Err(Box::new(self.failed(Failure::Broken, ticket, text)));
                }
                Ok(response) => return Ok((response, connection)),
                Err(error) => error,
            };
            // An idle connection that the server closed just now says nothing about the server.
            request = match (error, spare) {
                (SendError::Unsent(unsent), _) if !fresh => *unsent,
                (SendError::Closed(_), Some(spare)) if !fresh && self.may_repeat() => {
                    let mut again = spare.to_request();
                    self.address(&mut again, ticket, step);
                    again
                }
                (error, _) => return Err(Box::new(self.unanswered(error, ticket))),
            };
        }
    }

    /// The server may have seen the request before it closed: sending it again is a retry like any other.
    fn may_repeat(&self) -> bool {
        self.watch.problem().is_none() && self.shield.budget.spend()
    }

    async fn connect(&self, ticket: &Ticket, end: Instant) -> Result<Connection, String> {
        let left = end.saturating_duration_since(Instant::now());
        let limit = self.upstream.timeouts.connect.min(left);
        let opened = match tokio::time::timeout(limit, Connection::open(ticket)).await {
            Err(_) => Err(format!("no connection within {limit:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(connection)) => Ok(connection),
        };
        self.upstream.metrics.connected(match &opened {
            Ok(connection) if connection.is_new() => Connected::Opened,
            Ok(_) => Connected::Reused,
            Err(_) => Connected::Failed,
        });
        opened
    }

    /// Sends and waits for the head of the response. None: out of time, which is counted from the last progress of
    /// the request body.
    async fn send(
        &self,
        connection: &mut Connection,
        request: Request<RequestBody>,
        end: Instant,
    ) -> Option<Result<Response<Incoming>, SendError>> {
        let mut sending = std::pin::pin!(connection.send(request));
        let mut seen = self.watch.bytes();
        let mut since = Instant::now();
        loop {
            let until = end.min(since + self.upstream.timeouts.first_byte);
            if let Ok(done) = tokio::time::timeout_at(until.into(), sending.as_mut()).await {
                return Some(done);
            }
            // A body that is still coming is the client's time, which its own connection bounds.
            let coming = self.watch.bytes() != seen || !self.watch.has_ended();
            if !coming || Instant::now() >= end {
                return None;
            }
            seen = self.watch.bytes();
            since = Instant::now();
        }
    }

    /// Whose time is up.
    fn timed_out(&self, ticket: &Ticket, end: Instant) -> Failed {
        if self.deadline.is_over() {
            return self.failed(Failure::Late, ticket, "no answer before the deadline");
        }
        let of_try = end < self.end && Instant::now() >= end;
        let failure = if of_try {
            Failure::Slow
        } else {
            Failure::Timeout
        };
        self.failed(failure, ticket, "no answer in time")
    }

    fn unanswered(&self, error: SendError, ticket: &Ticket) -> Failed {
        if let Some(problem) = self.watch.problem() {
            return Failed {
                failure: Failure::Body,
                refusal: body_refusal(problem, self.max_body).because("the request body failed"),
                unsent: None,
            };
        }
        match error {
            SendError::Broken(error) => self.failed(Failure::Broken, ticket, &error.to_string()),
            SendError::Closed(error) => self.failed(Failure::Closed, ticket, &error.to_string()),
            SendError::Unsent(request) => {
                let text = "closed before the request was sent";
                self.failed(Failure::Closed, ticket, text).with(*request)
            }
        }
    }

    fn failed(&self, failure: Failure, ticket: &Ticket, text: &str) -> Failed {
        let (server, upstream) = (&ticket.server().address, &self.upstream.name);
        Failed {
            failure,
            refusal: Refusal::new(failure.reason())
                .because(format!("{server} of {upstream}: {text}")),
            unsent: None,
        }
    }
}

/// Notes how a try ended.
fn tell(step: Option<Open>, answer: Result<Answer, Box<Failed>>) -> Result<Answer, Box<Failed>> {
    match &answer {
        Ok(answer) => trace::answered(step, answer.response.status()),
        Err(failed) => trace::ended(step, failed.failure.as_str()),
    }
    answer
}

// === impl Failed ===

impl Failed {
    fn closed_circuit(refusal: Refusal) -> Failed {
        Failed {
            failure: Failure::Open,
            refusal,
            unsent: None,
        }
    }

    fn with(self, unsent: Request<RequestBody>) -> Failed {
        Failed {
            unsent: Some(unsent),
            ..self
        }
    }
}

// === impl Failure ===

impl Failure {
    /// As a trail says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
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
            Failure::Connect | Failure::Closed => Reason::UpstreamUnreachable,
            Failure::Slow | Failure::Timeout => Reason::UpstreamTimeout,
            Failure::Late => Reason::DeadlineExceeded,
            Failure::Broken => Reason::UpstreamBroken,
            Failure::Body => Reason::MalformedRequest,
        }
    }

    /// What it says of the server. Nothing where it is the client's doing: a deadline of its choice must not open the
    /// breaker, or have a server left alone, for everyone.
    fn verdict(self) -> Option<Verdict> {
        match self {
            Failure::Connect => Some(Verdict::Connect),
            Failure::Slow | Failure::Timeout => Some(Verdict::Timeout),
            Failure::Closed => Some(Verdict::Closed),
            Failure::Broken => Some(Verdict::Broken),
            Failure::Open | Failure::Late | Failure::Body => None,
        }
    }
}
