//! One try: a request at one server.

use std::time::Instant;

use http::{Request, Response, StatusCode};
use portcullis_exchange::Open;

use super::{Answer, Failed, Failure, Sending, replay};
use crate::ground::refusal::Refusal;
use crate::observe::trace::{self, Turn};
use crate::upstreams::connection::{Addressee, Connection, SendError};
use crate::upstreams::patience::Patience;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::{Connected, Ticket, Verdict};

/// A try without an answer.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) failed: Failed,
    /// Not a byte of the request was sent: it may go elsewhere, whatever it asks for.
    pub(super) unsent: bool,
}

// === impl Sending ===

impl Sending<'_> {
    /// Asks one server, as a step of the exchange's trail.
    pub(super) async fn attempt(
        &self,
        request: &mut Request<RequestBody>,
        ticket: Ticket,
        turn: Turn,
    ) -> Result<Answer, Box<Missed>> {
        let (name, server) = (&self.upstream.name, ticket.server().asked());
        let step = trace::ask(self.trail, name, server, turn, request);
        let answer = self.within(step.as_ref(), request, ticket).await;
        match &answer {
            Ok(answer) => trace::answered(step, answer.response.status()),
            Err(missed) => trace::ended(step, missed.failed.failure.as_str()),
        }
        answer
    }

    /// Asks one server; metrics, balancing, breaker and outlier detection learn what came of it.
    pub(super) async fn within(
        &self,
        step: Option<&Open>,
        request: &mut Request<RequestBody>,
        ticket: Ticket,
    ) -> Result<Answer, Box<Missed>> {
        if self.deadline.is_over() {
            return Err(Box::new(self.failed(Failure::Late, &ticket, "not asked")));
        }
        let pass = match self.upstream.shield.admit() {
            Ok(pass) => pass,
            Err(refusal) => return Err(Box::new(Missed::closed_circuit(refusal))),
        };
        let began = Instant::now();
        let asked = self.ask(request, &ticket, step, began).await;
        let verdict = match &asked {
            Ok((response, _)) => Some(Verdict::Answered(response.status())),
            Err(missed) => verdict(missed.failed.failure),
        };
        let at = Instant::now();
        if let Some(verdict) = verdict {
            self.upstream.tell(&ticket, verdict, at - began);
            pass.tell(!verdict.is_failure());
        }
        asked.map(|(response, connection)| Answer {
            response,
            connection,
            ticket,
            at,
        })
    }

    /// Writes what is different for each try.
    fn address(&self, request: &mut Request<RequestBody>, step: Option<&Open>) {
        self.deadline.write(request.headers_mut());
        trace::mark(step, request.headers_mut());
    }

    /// Over an idle connection while there is one, else over a new one.
    async fn ask(
        &self,
        request: &mut Request<RequestBody>,
        ticket: &Ticket,
        step: Option<&Open>,
        began: Instant,
    ) -> Result<(Response<()>, Connection), Box<Missed>> {
        let repeatable = replay::is_repeatable(request);
        let per_try = self.policy.per_try.filter(|_| repeatable);
        let end = per_try.map_or(self.end, |limit| self.end.min(began + limit));
        let first_byte = self
            .policy
            .first_byte
            .then_some(self.upstream.timeouts.first_byte);
        let host = self.host.unwrap_or(&ticket.server().host_header);
        let addressee = Addressee {
            host,
            added: self.added,
        };
        let mut now = began;
        loop {
            let reused = self.reuse(ticket, now);
            let fresh = reused.is_none();
            let mut connection = match reused {
                Some(connection) => {
                    self.upstream.metrics.connected(Connected::Reused);
                    connection
                }
                None => {
                    // Boxed: few exchanges come here, and all would carry its size.
                    let opened = Box::pin(self.connect(ticket, end)).await?;
                    now = Instant::now();
                    opened
                }
            };
            self.address(request, step);
            let mut patience = Patience::new(now, end, first_byte, self.watch);
            let error = match connection.send(request, addressee, &mut patience).await {
                Ok(response) if self.is_unasked(response.status()) => {
                    let text = "switched protocols unasked";
                    return Err(Box::new(self.failed(Failure::Broken, ticket, text)));
                }
                Ok(response) => return Ok((response, connection)),
                Err(error) => error,
            };
            // An idle connection that the server closed just now says nothing about the server.
            let again = match &error {
                SendError::Unsent => !fresh,
                SendError::Closed(_) => !fresh && repeatable && self.may_repeat(),
                SendError::Late | SendError::Broken(_) => false,
            };
            if !again {
                return Err(Box::new(self.unanswered(error, ticket, end)));
            }
            now = Instant::now();
        }
    }

    /// The server may have seen the request before it closed: sending it again is a retry like any other.
    fn may_repeat(&self) -> bool {
        self.watch.problem().is_none() && self.upstream.shield.budget.spend()
    }

    /// An idle connection; none where the protocol may switch.
    fn reuse(&self, ticket: &Ticket, now: Instant) -> Option<Connection> {
        if self.policy.upgrade {
            return None;
        }
        ticket.reuse(now)
    }

    fn is_unasked(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS && !self.policy.upgrade
    }

    async fn connect(&self, ticket: &Ticket, end: Instant) -> Result<Connection, Box<Missed>> {
        let left = end.saturating_duration_since(Instant::now());
        let limit = self.upstream.timeouts.connect.min(left);
        let opening = async {
            if self.policy.upgrade {
                ticket.open_http1().await
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
        opened.map_err(|text| {
            let failure = if self.deadline.is_over() {
                Failure::Late
            } else {
                Failure::Connect
            };
            Box::new(self.failed(failure, ticket, &text).unsent())
        })
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

    fn unanswered(&self, error: SendError, ticket: &Ticket, end: Instant) -> Missed {
        if matches!(error, SendError::Late) {
            return self.timed_out(ticket, end);
        }
        if let Some(problem) = self.watch.problem() {
            let refusal = problem.refusal(self.max_body);
            return Missed::of(Failure::Body, refusal.because("the request body failed"));
        }
        match error {
            SendError::Broken(error) => self.failed(Failure::Broken, ticket, &error.to_string()),
            SendError::Closed(error) => self.failed(Failure::Closed, ticket, &error.to_string()),
            SendError::Unsent => {
                let text = "closed before the request was sent";
                self.failed(Failure::Closed, ticket, text).unsent()
            }
            SendError::Late => self.timed_out(ticket, end),
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
            unsent: false,
        }
    }

    fn closed_circuit(refusal: Refusal) -> Missed {
        Missed::of(Failure::Open, refusal)
    }

    fn unsent(self) -> Missed {
        Missed {
            unsent: true,
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
