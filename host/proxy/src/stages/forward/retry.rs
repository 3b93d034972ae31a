//! What is tried again, where, and after what pause.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use portcullis_config::plan::Retry;

use super::attempt::{Answer, Failure, Run};
use super::hedge;
use super::spare::Spare;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::trace::Turn;
use crate::stages::body::RequestBody;
use crate::upstreams::servers::{Server, Ticket};

/// The tries of one exchange so far.
pub(super) struct Tries<'a> {
    run: &'a Run<'a>,
    turn: Turn,
    /// Servers asked since the last pause.
    asked: Vec<Arc<Server>>,
    pauses: u32,
}

/// Sends a request until an answer is good enough, or nothing is left to try: then the last answer, or what became of
/// the last try, stands.
pub(super) async fn send(
    run: &Run<'_>,
    mut request: Request<RequestBody>,
    journal: &mut Journal,
) -> Result<Answer, Refusal> {
    let nobody = || Refusal::new(Reason::UpstreamUnreachable).because("no server is left to try");
    run.shield.budget.earn();
    let mut tries = Tries::new(run);
    let mut ticket = tries.server().ok_or_else(nobody)?;
    loop {
        journal.server = Some(ticket.server().address.clone());
        let spare = Spare::of(&request);
        let tried = hedge::ask(run, &mut tries, request, ticket, spare.as_ref()).await;
        let (again, last) = match tried {
            Ok(answer) if !run.retry.on.contains(&answer.response.status().as_u16()) => {
                return Ok(answer);
            }
            Ok(answer) => {
                tries.turn.because = "status";
                (spare.map(|spare| spare.to_request()), Ok(answer))
            }
            Err(failed) => {
                tries.turn.because = failed.failure.as_str();
                let safe = matches!(failed.failure, Failure::Closed | Failure::Slow);
                let second = spare.filter(|_| safe).map(|spare| spare.to_request());
                (failed.unsent.or(second), Err(failed.refusal))
            }
        };
        let Some(again) = again else { return last };
        let Some(next) = tries.another().await else {
            return last;
        };
        (request, ticket) = (again, next);
    }
}

impl<'a> Tries<'a> {
    fn new(run: &'a Run<'a>) -> Tries<'a> {
        Tries {
            run,
            turn: Turn::default(),
            asked: Vec::new(),
            pauses: 0,
        }
    }

    /// A server that was not asked since the last pause.
    fn server(&mut self) -> Option<Ticket> {
        let run = self.run;
        let ticket = run.upstream.pick(run.key, &self.asked, run.worker.index)?;
        self.asked.push(ticket.server().clone());
        self.turn.number += 1;
        Some(ticket)
    }

    /// Which try this is.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// Leave to send the request once more, and where to: at once to a server that was not asked yet. Once all were,
    /// after a pause to any.
    async fn another(&mut self) -> Option<Ticket> {
        if !self.may_be_more() {
            return None;
        }
        if let Some(ticket) = self.server() {
            return Some(ticket);
        }
        let pause = pause(self.run.retry, self.pauses);
        if Instant::now() + pause >= self.run.end {
            return None;
        }
        self.pauses += 1;
        tokio::time::sleep(pause).await;
        self.asked.clear();
        self.server()
    }

    /// Leave to ask a second server while the first thinks: never the same one, never after a pause.
    pub(super) fn hedge(&mut self) -> Option<Ticket> {
        let run = self.run;
        let ticket = run.upstream.pick(run.key, &self.asked, run.worker.index)?;
        if !self.may_be_more() {
            return None;
        }
        self.asked.push(ticket.server().clone());
        self.turn.number += 1;
        self.turn.because = "hedge";
        Some(ticket)
    }

    fn may_be_more(&self) -> bool {
        let run = self.run;
        if self.turn.number >= run.retry.tries || Instant::now() >= run.end {
            return false;
        }
        let granted = run.shield.budget.spend();
        let counters = &run.shield.counters;
        if granted {
            counters.retries_sent.inc();
        } else {
            counters.retries_denied.inc();
        }
        granted
    }
}

/// Exponential, and random between nothing and all of it: clients that failed together do not come back together.
fn pause(retry: &Retry, pauses: u32) -> Duration {
    let most = retry
        .back_off
        .saturating_mul(1 << pauses.min(16))
        .min(retry.max_back_off);
    // Each new state has other keys.
    let coin = RandomState::new().hash_one(pauses) >> 32;
    let share = u32::try_from(coin).unwrap_or(u32::MAX);
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_differ() {
        let retry = Retry {
            tries: 3,
            on: Vec::new(),
            per_try: None,
            hedge_after: None,
            back_off: Duration::from_millis(100),
            max_back_off: Duration::from_millis(700),
            max_body: 0,
        };
        for (pauses, most) in [(0, 100), (1, 200), (2, 400), (3, 700), (40, 700)] {
            let drawn: Vec<_> = (0..200).map(|_| pause(&retry, pauses)).collect();
            let most = Duration::from_millis(most);
            assert!(drawn.iter().all(|p| *p <= most), "{pauses}");
            // Full jitter: some are short and some are long.
            assert!(drawn.iter().any(|p| *p < most / 3), "{pauses}");
            assert!(drawn.iter().any(|p| *p > most * 2 / 3), "{pauses}");
        }
    }
}
