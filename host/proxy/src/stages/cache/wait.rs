//! Asking the upstream once for all who want the same: one asks, the others wait for what it gets.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, Response};
use portcullis_exchange::Exchange;

use super::Variants;
use super::conditions::Conditions;
use super::flight::{Boarding, Landing};
use super::status::Told;
use super::way::{Look, Seek};
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::record::CacheOutcome;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::Forwarding;

/// How often a request looks again because the one that it waited for came to nothing.
const LOOKS: usize = 8;

/// What waiting came to.
enum Landed {
    Answer(Result<Response<Content>, Refusal>),
    /// Ask the upstream, without anyone waiting for it.
    Alone,
    Again,
}

impl Seek {
    /// Asks the upstream, or waits for another request that does.
    pub(super) async fn ask(
        mut self,
        mut known: Option<Arc<Variants>>,
        clearance: Clearance,
        x: &mut Exchange,
        f: Forwarding<'_>,
    ) -> Result<Response<Content>, Refusal> {
        // As long as for the upstream itself.
        let until = f.deadline.or(f.journal.began() + f.upstream.timeouts.total);
        for _ in 0..LOOKS {
            if self.wish.only_if_cached {
                return Err(Refusal::new(Reason::NotStored));
            }
            if !self.may_wait(x) {
                break;
            }
            let vary = known.as_ref().and_then(|known| known.vary());
            let mut wait = match self.cache.flights.board(&self.key.with(vary, &x.request)) {
                Boarding::Leads(lead) => return self.fetch(clearance, x, f, Some(lead)).await,
                Boarding::Waits(wait) => wait,
            };
            let whole = Conditions::of(&x.request).wants_range();
            match self.landed(wait.landing(whole, until).await, x, f.journal) {
                Landed::Answer(answer) => return answer,
                Landed::Alone => break,
                Landed::Again => {}
            }
            known = match self.look(x, f.journal) {
                Look::Answer(response) | Look::Renew(response) => return Ok(response),
                Look::Ask(known) => known,
            };
        }
        self.fetch(clearance, x, f, None).await
    }

    /// Whether another request's answer may do. Not where each needs the upstream's own word, nor where it is known
    /// that nothing will be stored: waiting would only queue them up.
    fn may_wait(&self, x: &Exchange) -> bool {
        let asks_always = self
            .stale
            .as_ref()
            .is_some_and(|stale| stale.head.life.asks_always());
        let passes = self.stale.is_none() && self.cache.passes.contains_key(self.key.bytes());
        let part = self.stale.is_none() && Conditions::of(&x.request).wants_range();
        x.method == Method::GET && self.wish.is_plain() && !asks_always && !passes && !part
    }

    fn landed(&mut self, landing: Landing, x: &Exchange, journal: &mut Journal) -> Landed {
        let now = Instant::now();
        let told = (CacheOutcome::Coalesced, Told::Collapsed);
        match landing {
            // Of another variant: whoever looks again sees which.
            Landing::Stored(stored) if !stored.head.vary.matches(&x.request) => Landed::Again,
            Landing::Stored(stored) if stored.head.life.is_fresh(now) => {
                Landed::Answer(Ok(self.answer(x, &stored, journal, told)))
            }
            Landing::Stored(stored) => {
                self.stale = Some(stored);
                Landed::Alone
            }
            Landing::Filling(head, fill) => {
                if !head.vary.matches(&x.request) {
                    return Landed::Again;
                }
                let content = Content::of(fill.reader(head.length(), false));
                let response = if Conditions::of(&x.request).holds(&head) {
                    head.not_modified(Some(now))
                } else {
                    head.respond(content, Some(now))
                };
                Landed::Answer(Ok(self.finish(response, journal, told)))
            }
            Landing::Pass => Landed::Alone,
            Landing::Failed(reason) => match self.on_error(x, journal) {
                Some(response) => Landed::Answer(Ok(response)),
                None => {
                    self.store.counters.count(CacheOutcome::Coalesced);
                    let why = "the request that this one waited for came to this";
                    Landed::Answer(Err(Refusal::new(reason).because(why)))
                }
            },
            Landing::No | Landing::Gone => Landed::Again,
        }
    }
}
