//! Asking the upstream on behalf of the cache, and what becomes of its answer.

use std::sync::Arc;
use std::time::Instant;

use http::response::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use portcullis_exchange::Exchange;

use super::Claim;
use super::conditions::{self, Conditions};
use super::fill::{Fill, Filled};
use super::flight::{Landing, Lead};
use super::judge::{Asker, Verdict, judge};
use super::key::Place;
use super::life::Times;
use super::status::Told;
use super::stored::{Head, Stored, storable, tags};
use super::way::{Seek, is_error};
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::record::CacheOutcome;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::{Forwarding, forward};
use crate::upstreams::request_body::RequestBody;

/// When the upstream was asked, by two clocks.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) epoch: u64,
    pub(super) place: Arc<Place>,
    /// Without the client's own conditions: they are judged here.
    whole: bool,
}

impl Seek {
    /// Asks the upstream; `lead` tells those who wait how it went.
    pub(super) async fn fetch(
        self,
        clearance: Clearance,
        x: &mut Exchange,
        f: Forwarding<'_>,
        lead: Option<Lead>,
    ) -> Result<Response<Content>, Refusal> {
        let stale = self
            .stale
            .clone()
            .filter(|_| x.method == Method::GET && !self.wish.no_store);
        // The whole response is wanted, whatever this client has of it already.
        let whole = lead.is_some() || stale.is_some();
        let taken = whole.then(|| conditions::take(&mut x.request));
        if let Some(stale) = &stale {
            conditions::ask_by(&mut x.request, &stale.head);
        }
        let asked = Asked {
            at: Instant::now(),
            epoch: self.cache.marks.now(),
            place: Arc::new(Place::of(x, &f.provenance)),
            whole,
        };
        let journal = f.journal;
        let forwarding = Forwarding {
            keep_request: true,
            journal: &mut *journal,
            ..f
        };
        let sent = forward(clearance, x, RequestBody::empty(), forwarding).await;
        if let Some(taken) = taken {
            conditions::put_back(&mut x.request, taken);
        }
        let response = match sent {
            Ok(response) => response,
            Err(refusal) => return self.refused(refusal, x, journal, lead),
        };
        match (response.status(), stale) {
            (StatusCode::NOT_MODIFIED, Some(stale)) if stale.head.has_validator() => {
                Ok(self.freshen(response.headers(), (x, journal), (asked, &stale), lead))
            }
            (status, Some(_)) if is_error(status) => match self.on_error(x, journal) {
                Some(answer) => {
                    end(lead, Landing::Failed(Reason::UpstreamBroken));
                    Ok(answer)
                }
                None => Ok(self.received(response, (x, journal), asked, lead)),
            },
            _ => Ok(self.received(response, (x, journal), asked, lead)),
        }
    }

    fn refused(
        &self,
        refusal: Refusal,
        x: &Exchange,
        journal: &mut Journal,
        lead: Option<Lead>,
    ) -> Result<Response<Content>, Refusal> {
        if refusal.reason == Reason::DeadlineExceeded {
            // This client had no time: those who wait look again, and one of them asks.
            drop(lead);
        } else {
            end(lead, Landing::Failed(refusal.reason));
        }
        if is_error(refusal.reason.status())
            && let Some(answer) = self.on_error(x, journal)
        {
            return Ok(answer);
        }
        self.store.counters.count(CacheOutcome::Miss);
        journal.record.cache = Some(CacheOutcome::Miss);
        Err(refusal)
    }

    /// A response that is not about what is stored: stored itself, or passed on.
    fn received(
        self,
        response: Response<Content>,
        (x, journal): (&Exchange, &mut Journal),
        asked: Asked,
        lead: Option<Lead>,
    ) -> Response<Content> {
        let verdict = match x.method {
            Method::GET if !self.wish.no_store => judge(
                (response.status(), response.headers()),
                &x.request,
                self.asker(x),
                &self.store.rules,
                Times::since(asked.at),
            ),
            _ => None,
        };
        if x.method == Method::HEAD {
            self.compare(&response);
        }
        let outcome = if self.wish.no_store {
            CacheOutcome::Bypass
        } else {
            CacheOutcome::Miss
        };
        let claimed = verdict.and_then(|verdict| Some((verdict, self.claim(&response)?)));
        let Some((verdict, claim)) = claimed else {
            if lead.is_some() {
                self.cache.passes.insert(self.key.shared(), ());
            }
            end(lead, Landing::Pass);
            let told = Told::Forwarded(self.why, false);
            return self.finish(response, journal, (outcome, told));
        };
        let (parts, content) = response.into_parts();
        let head = self.head(&parts, verdict, &asked);
        let told = (outcome, Told::Forwarded(self.why, true));
        let held = asked.whole && Conditions::of(&x.request).holds(&head);
        let first = self.fill(&head, content, claim, lead);
        let response = if held {
            head.not_modified(None)
        } else {
            Response::from_parts(parts, first)
        };
        self.finish(response, journal, told)
    }

    pub(super) fn asker(&self, x: &Exchange) -> Asker {
        Asker::of(&x.request, self.store.rules.audience, self.credentials)
    }

    /// Memory for the body; None where it says that it is too large. One that says nothing claims as it comes.
    fn claim(&self, response: &Response<Content>) -> Option<Claim> {
        let length = response.body().size_hint().exact().unwrap_or(0);
        let length = usize::try_from(length).ok()?;
        (length <= self.cache.max_object).then(|| self.cache.claim(length))?
    }

    fn head(&self, parts: &Parts, verdict: Verdict, asked: &Asked) -> Arc<Head> {
        Arc::new(Head {
            status: parts.status,
            headers: storable(&parts.headers, &verdict.says),
            vary: verdict.vary,
            life: verdict.life,
            place: asked.place.clone(),
            tags: tags(&parts.headers),
            epoch: asked.epoch,
            counters: self.store.counters.clone(),
        })
    }

    /// Reads the body into the store; gives the first client's share of it.
    fn fill(
        &self,
        head: &Arc<Head>,
        mut content: Content,
        claim: Claim,
        lead: Option<Lead>,
    ) -> Content {
        let fill = Arc::new(Fill::new(claim));
        let most = self.cache.max_object;
        let (cache, key) = (self.cache.clone(), self.key.clone());
        let done = {
            let head = head.clone();
            move |filled: Filled, lead: Option<Lead>| {
                let Filled::Whole(body) = filled else {
                    cache.passes.insert(key.shared(), ());
                    return end(lead, Landing::Pass);
                };
                let stored = Arc::new(Stored { head, body });
                cache.keep(&key, &stored);
                end(lead, Landing::Stored(stored));
            }
        };
        let first = fill.reader(head.length(), true);
        if let Some(filled) = fill.run_now(&mut content, most) {
            done(filled, lead);
            return Content::of(first);
        }
        if let Some(lead) = &lead {
            // What is stale as it comes is of no use to who waits.
            lead.tell(if head.life.is_fresh(Instant::now()) {
                Landing::Filling(head.clone(), fill.clone())
            } else {
                Landing::Pass
            });
        }
        // Ends with the upstream's body, whose deadlines bind it.
        tokio::spawn(async move {
            let filled = fill.run(content, most).await;
            done(filled, lead);
        });
        Content::of(first)
    }
}

pub(super) fn end(lead: Option<Lead>, landing: Landing) {
    if let Some(lead) = lead {
        lead.end(landing);
    }
}
