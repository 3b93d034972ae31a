//! One try: a request at one server.

use std::time::Instant;

use http::header::{HOST, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use portcullis_exchange::Open;

use super::replay::Spare;
use super::{Answer, Failed, Failure, Sending};
use crate::ground::refusal::Refusal;
use crate::observe::trace::{self, Turn};
use crate::upstreams::connection::{Connection, SendError};
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::{Connected, Ticket, Verdict};

/// A try without an answer.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) failed: Failed,
    /// The request, where not a byte of it was sent.
    pub(super) unsent: Option<Request<RequestBody>>,
}

// === impl Sending ===

impl Sending<'_> {
    /// Asks one server, as a step of the exchange's trail.
    pub(super) async fn attempt(
        &self,
        request: Request<RequestBody>,
        ticket: Ticket,
        turn: Turn,
        spare: Option<&Spare>,
    ) -> Result<Answer, Box<Missed>> {
        let (name, server) = (&self.upstream.name, ticket.server().asked());
        let step = trace::ask(self.trail, name, server, turn, &request);
        let answer = self.within(step.as_ref(), request, ticket, spare).await;
        match &answer {
            Ok(answer) => trace::answered(step, answer.response.status()),
            Err(missed) => trace::ended(step, missed.failed.failure.as_str()),
        }
        answer
    }

    /// Asks one server; metrics, balancing, breaker and outlier detection learn what came of it. `spare` is there where
    /// the request may be sent twice.
    pub(super) async fn within(
        &self,
        step: Option<&Open>,
        mut request: Request<RequestBody>,
        ticket: Ticket,
        spare: Option<&Spare>,
    ) -> Result<Answer, Box<Missed>> {
        if self.deadline.is_over() {
            return Err(Box::new(self.failed(Failure::Late, &ticket, "not asked")));
        }
        let pass = match self.upstream.shield.admit() {
            Ok(pass) => pass,
            Err(refusal) => return Err(Box::new(Missed::closed_circuit(refusal))),
        };
        self.address(&mut request, &ticket, step);
        let began = Instant::now();
        let asked = self.ask(request, &ticket, spare, step).await;
        let verdict = match &asked {
            Ok((response, _)) => Some(Verdict::Answered(response.status())),
            Err(missed) => verdict(missed.failed.failure),
        };
        if let Some(verdict) = verdict {
            self.upstream.tell(&ticket, verdict, began.elapsed());
            pass.tell(!verdict.is_failure());
        }
        asked.map(|(response, connection)| Answer {
            response,
            connection,
            ticket,
        })
    }

    /// Writes what is different for each server and try.
    fn address(&self, request: &mut Request<RequestBody>, ticket: &Ticket, step: Option<&Open>) {
        let host = self.host.unwrap_or(&ticket.server().host);
        if let Ok(value) = HeaderValue::from_str(host) {
            request.headers_mut().insert(HOST, value);
        }
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
    ) -> Result<(Response<Incoming>, Connection), Box<Missed>> {
        let per_try = spare.and(self.policy.per_try);
        let end = per_try.map_or(self.end, |limit| self.end.min(Instant::now() + limit));
        loop {
            let reused = self.reuse(ticket);
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
            let Some(sent) = self.exchange(&mut connection, request, end).await else {
                return Err(Box::new(self.timed_out(ticket, end)));
            };
            let error = match sent {
                Ok(response) if self.is_unasked(response.status()) => {
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
        self.watch.problem().is_none() && self.upstream.shield.budget.spend()
    }

    /// An idle connection; none where the protocol may switch.
    fn reuse(&self, ticket: &Ticket) -> Option<Connection> {
        if self.policy.upgrade {
            return None;
        }
        ticket.reuse()
    }

    fn is_unasked(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS && !self.policy.upgrade
    }

    async fn connect(&self, ticket: &Ticket, end: Instant) -> Result<Connection, String> {
        let left = end.saturating_duration_since(Instant::now());
        let limit = self.upstream.timeouts.connect.min(left);
        let opening = async {
            if self.policy.upgrade {
                ticket.open_upgradable().await
            } else {
                ticket.open().await
            }
        };
        let opened = match tokio::time::timeout(limit, opening).await {
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
    async fn exchange(
        &self,
        connection: &mut Connection,
        request: Request<RequestBody>,
        end: Instant,
    ) -> Option<Result<Response<Incoming>, SendError>> {
        let mut sending = std::pin::pin!(connection.send(request));
        let mut seen = self.watch.bytes();
        let mut since = Instant::now();
        loop {
            let until = if self.policy.first_byte {
                end.min(since + self.upstream.timeouts.first_byte)
            } else {
                end
            };
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
    fn timed_out(&self, ticket: &Ticket, end: Instant) -> Missed {
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

    fn unanswered(&self, error: SendError, ticket: &Ticket) -> Missed {
        if let Some(problem) = self.watch.problem() {
            let refusal = problem.refusal(self.max_body);
            return Missed::of(Failure::Body, refusal.because("the request body failed"));
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

    fn failed(&self, failure: Failure, ticket: &Ticket, text: &str) -> Missed {
        let (server, upstream) = (&ticket.server().address, &self.upstream.name);
        let because = format!("{server} of {upstream}: {text}");
        Missed::of(failure, Refusal::new(failure.reason()).because(because))
    }
}

// === impl Missed ===

impl Missed {
    fn of(failure: Failure, refusal: Refusal) -> Missed {
        Missed {
            failed: Failed { failure, refusal },
            unsent: None,
        }
    }

    fn closed_circuit(refusal: Refusal) -> Missed {
        Missed::of(Failure::Open, refusal)
    }

    fn with(self, unsent: Request<RequestBody>) -> Missed {
        Missed {
            unsent: Some(unsent),
            ..self
        }
    }
}

/// What a failure says of the server. Nothing where it is the client's doing: a deadline of its choice must not open the
/// breaker, or eject a server, for everyone.
fn verdict(failure: Failure) -> Option<Verdict> {
    match failure {
        Failure::Connect => Some(Verdict::Connect),
        Failure::Slow | Failure::Timeout => Some(Verdict::Timeout),
        Failure::Closed => Some(Verdict::Closed),
        Failure::Broken => Some(Verdict::Broken),
        Failure::NoServer | Failure::Open | Failure::Late | Failure::Body => None,
    }
}
