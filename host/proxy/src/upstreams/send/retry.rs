//! What is tried again, where, and after what pause.

use std::sync::Arc;
use std::time::Instant;

use http::Request;

use super::attempt::Missed;
use super::{Answer, Failed, Failure, Progress, Sending, hedge, replay};
use crate::ground::refusal::Refusal;
use crate::observe::trace::{self, Turn};
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::{Server, Ticket};

/// The tries of one request so far.
pub(super) struct Tries<'a> {
    sending: &'a Sending<'a>,
    turn: Turn,
    /// The server that is asked.
    now: Option<Arc<Server>>,
    /// Servers asked before it, since the last pause.
    asked: Vec<Arc<Server>>,
    pauses: u32,
}

pub(super) async fn send(
    sending: &Sending<'_>,
    request: &mut Request<RequestBody>,
    mut progress: Progress<'_>,
) -> Result<Answer, Failed> {
    sending.upstream.shield.budget.earn();
    let mut tries = Tries::new(sending);
    let mut ticket = tries.server().ok_or_else(|| nobody(sending))?;
    loop {
        *progress.server = Some(ticket.server().address.clone());
        let tried = match (&mut progress.call, sending.policy.hedge_after) {
            (Some(step), _) => {
                trace::asks(step, ticket.server().asked(), tries.turn, request);
                sending.within(step.as_ref(), request, ticket).await
            }
            (None, None) => sending.attempt(request, ticket, tries.turn()).await,
            // Boxed: few exchanges come here, and all would carry its size.
            (None, Some(after)) => Box::pin(hedge::ask(&mut tries, request, ticket, after)).await,
        };
        let repeatable = replay::is_repeatable(request);
        let (again, last) = match tried {
            Ok(answer) if sending.policy.takes(answer.response.status()) => return Ok(answer),
            Ok(answer) => {
                tries.turn.because = "status";
                (repeatable, Ok(answer))
            }
            Err(missed) => {
                let Missed { failed, unsent } = *missed;
                tries.turn.because = failed.failure.as_str();
                let safe = matches!(failed.failure, Failure::Closed | Failure::Slow);
                (unsent || (safe && repeatable), Err(failed))
            }
        };
        if !again {
            return last;
        }
        // Boxed as above.
        let Some(next) = Box::pin(tries.another()).await else {
            return last;
        };
        ticket = next;
    }
}

fn nobody(sending: &Sending<'_>) -> Failed {
    let failure = Failure::NoServer;
    let because = format!("no server of {} is left to try", sending.upstream.name);
    Failed {
        failure,
        refusal: Refusal::new(failure.reason()).because(because),
    }
}

impl<'a> Tries<'a> {
    fn new(sending: &'a Sending<'a>) -> Tries<'a> {
        Tries {
            sending,
            turn: Turn::default(),
            now: None,
            asked: Vec::new(),
            pauses: 0,
        }
    }

    pub(super) fn sending(&self) -> &'a Sending<'a> {
        self.sending
    }

    /// Which try this is.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// A server that was not asked since the last pause.
    fn server(&mut self) -> Option<Ticket> {
        let ticket = self.pick()?;
        Some(self.took(ticket))
    }

    fn pick(&mut self) -> Option<Ticket> {
        self.asked.extend(self.now.take());
        let Sending {
            upstream,
            key,
            sender,
            ..
        } = self.sending;
        upstream.pick(*key, &self.asked, sender.worker)
    }

    fn took(&mut self, ticket: Ticket) -> Ticket {
        self.now = Some(ticket.server().clone());
        self.turn.number += 1;
        ticket
    }

    /// Leave to send the request once more, and where to: at once to a server that was not asked yet. Once all were,
    /// after a pause to any, where the policy has one.
    async fn another(&mut self) -> Option<Ticket> {
        if !self.is_within_bounds() {
            return None;
        }
        let back_off = self.sending.policy.back_off;
        let at_once = self.pick();
        if at_once.is_none() && back_off.is_none() || !self.is_granted() {
            return None;
        }
        if let Some(ticket) = at_once {
            return Some(self.took(ticket));
        }
        let pause = back_off?.pause(self.pauses);
        if Instant::now() + pause >= self.sending.end {
            return None;
        }
        self.pauses += 1;
        tokio::time::sleep(pause).await;
        self.asked.clear();
        self.server()
    }

    /// Leave to ask a second server while the first thinks: never the same one, never after a pause.
    pub(super) fn hedge(&mut self) -> Option<Ticket> {
        let ticket = self.pick()?;
        if !self.is_within_bounds() || !self.is_granted() {
            return None;
        }
        self.turn.because = "hedge";
        Some(self.took(ticket))
    }

    /// The policy and the time allow one more try.
    fn is_within_bounds(&self) -> bool {
        self.turn.number < self.sending.policy.tries && Instant::now() < self.sending.end
    }

    /// The budget of the upstream allows one more request.
    fn is_granted(&self) -> bool {
        let shield = &self.sending.upstream.shield;
        let granted = shield.budget.spend();
        if granted {
            shield.counters.retries_sent.inc();
        } else {
            shield.counters.retries_denied.inc();
        }
        granted
    }
}
