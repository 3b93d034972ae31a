//! Asking the upstream on behalf of the cache, and what becomes of its answer.

use std::sync::Arc;
use std::time::Instant;

use http::header::AGE;
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use portcullis_exchange::Exchange;

use super::Claim;
use super::conditions::{self, Conditions};
use super::control::Says;
use super::fill::{Fill, Filled};
use super::flight::{Boarding, Landing, Lead};
use super::judge::{Asker, Verdict, judge};
use super::key::Place;
use super::life::{Life, Times};
use super::status::Told;
use super::stored::{Head, Stored, freshened, storable, tags};
use super::way::{Seek, is_error, pass_cookies};
use crate::ground::clock::now_ms;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::record::CacheOutcome;
use crate::observe::watch::Watch;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::{Forwarding, forward};
use crate::upstreams::request_body::RequestBody;

/// When the upstream was asked, by two clocks.
#[derive(Debug, Clone)]
struct Asked {
    at: Instant,
    epoch: u64,
    place: Arc<Place>,
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

    /// The upstream says that what is stored is still the one (RFC 9111 section 4.3.4).
    fn freshen(
        &self,
        newer: &HeaderMap,
        (x, journal): (&Exchange, &mut Journal),
        (asked, stale): (Asked, &Stored),
        lead: Option<Lead>,
    ) -> Response<Content> {
        let old = &*stale.head;
        let said = Says::of(newer);
        let mut headers = freshened(&old.headers, &storable(newer, &said));
        let says = Says::of(&headers);
        if let Some(age) = newer.get(AGE) {
            headers.insert(AGE, age.clone());
        }
        let asker = self.asker(x);
        let (rules, times) = (&self.store.rules, Times::since(asked.at));
        // Judged anew: a 304 may well say `private` or `no-store`.
        let verdict = judge((old.status, &headers), &x.request, asker, rules, times);
        let life = Life::of((old.status, &headers), &says, rules, times, false);
        headers.remove(AGE);
        let head = Head {
            status: old.status,
            life: verdict.as_ref().map_or(life, |verdict| verdict.life),
            vary: verdict
                .as_ref()
                .map_or_else(|| old.vary.clone(), |verdict| verdict.vary.clone()),
            place: asked.place.clone(),
            tags: tags(&headers),
            epoch: asked.epoch,
            counters: self.store.counters.clone(),
            headers,
        };
        let stored = Arc::new(Stored {
            head: Arc::new(head),
            body: stale.body.clone(),
        });
        let kept = verdict.is_some() && !newer.contains_key(http::header::SET_COOKIE);
        if kept {
            self.cache.keep(&self.key, &stored);
        }
        end(
            lead,
            if kept {
                Landing::Stored(stored.clone())
            } else {
                Landing::Pass
            },
        );
        let told = Told::Revalidated(stored.head.life.left(Instant::now()));
        let mut answer = self.answer(x, &stored, journal, (CacheOutcome::Revalidated, told));
        pass_cookies(newer, answer.headers_mut());
        answer
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

    fn asker(&self, x: &Exchange) -> Asker {
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

    /// What a HEAD says of the stored response to a GET (RFC 9111 section 4.3.5): when they differ, the stored one
    /// is of another time.
    fn compare(&self, response: &Response<Content>) {
        use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
        let Some(stale) = self
            .stale
            .as_ref()
            .filter(|_| response.status() == StatusCode::OK)
        else {
            return;
        };
        let differs = |name| {
            let newer = response.headers().get(&name);
            newer.is_some() && newer != stale.head.headers.get(&name)
        };
        if [CONTENT_LENGTH, ETAG, LAST_MODIFIED]
            .into_iter()
            .any(differs)
        {
            self.cache.forget(&self.key);
        }
    }

    /// Asks the upstream beside the client that was just answered with what is stale. By the permit of that client:
    /// nothing is forwarded that nobody was allowed.
    pub(super) fn renew(self, clearance: Clearance, x: &Exchange, f: Forwarding<'_>) {
        let vary = self.stale.as_ref().map(|stale| &stale.head.vary);
        let Boarding::Leads(lead) = self.cache.flights.board(&self.key.with(vary, &x.request))
        else {
            return;
        };
        let mut own = Exchange {
            method: Method::GET,
            target: x.target.clone(),
            request: x.request.clone(),
            caller: x.caller.clone(),
            request_id: x.request_id.clone(),
            route: x.route.clone(),
            host: x.host.clone(),
            scheme: x.scheme,
            client_ip: x.client_ip,
            now_ms: now_ms(),
            ..Exchange::default()
        };
        let mut journal = f.journal.renewal();
        let (sender, rules) = (f.sender, f.rules.clone());
        let (watch, upstream) = (Arc::new(Watch::over()), f.upstream.clone());
        let provenance = f.provenance;
        // Ends with the upstream's answer, whose deadlines bind it.
        tokio::spawn(async move {
            let forwarding = Forwarding {
                sender,
                rules: &rules,
                watch: &watch,
                upstream: &upstream,
                provenance,
                // Nobody waits for it.
                deadline: &Deadline::default(),
                keep_request: true,
                journal: &mut journal,
            };
            let done = Box::pin(self.fetch(clearance, &mut own, forwarding, Some(lead))).await;
            match done {
                Ok(response) => journal.record.status = response.status(),
                Err(refusal) => journal.refuse(&refusal),
            }
            journal.close(true);
        });
    }
}

fn end(lead: Option<Lead>, landing: Landing) {
    if let Some(lead) = lead {
        lead.end(landing);
    }
}
