//! A request's way through the cache:
//!
//! ```text
//! look, in memory, then on the disk
//!      → fresh: answer
//!      → stale, but good while it is renewed: answer, renew beside it
//!      → else: be the one who asks the upstream, or wait for the one who does
//! ask  → 304: freshen what is stored, answer · error: stale, if it may be · else: store while it streams, or pass on
//! ```

use std::sync::Arc;
use std::time::Instant;

use http::header::SET_COOKIE;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use portcullis_config::plan::Audience;
use portcullis_exchange::{Exchange, What};

use super::bypass::bypass;
use super::conditions::{self, Conditions};
use super::control::Wish;
use super::key::Key;
use super::status::{Told, Why, tell};
use super::stored::{CACHE_TAG, SURROGATE_KEY, Stored};
use super::{Cache, RouteStore, Variants};
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::observe::record::CacheOutcome;
use crate::observe::trace;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::Forwarding;
use crate::upstreams::request_body::RequestBody;

/// One request that may be answered from the store.
pub(super) struct Seek {
    pub(super) cache: Arc<Cache>,
    pub(super) store: Arc<RouteStore>,
    pub(super) key: Key,
    pub(super) wish: Wish,
    /// The client said or proved who asks, whatever became of it.
    pub(super) credentials: bool,
    /// Stored, but not to be used without the upstream's word.
    pub(super) stale: Option<Arc<Stored>>,
    /// What was found was on the disk.
    pub(super) from_disk: bool,
    pub(super) why: Why,
}

/// What looking into the store came to.
pub(super) enum Look {
    Answer(Response<Content>),
    /// The same, and what is stored is to be renewed.
    Renew(Response<Content>),
    /// Nothing of use; the Vary under which others are stored.
    Ask(Option<Arc<Variants>>),
}

/// The cache, and the part of a route in it.
#[derive(Clone, Copy)]
pub(crate) struct Caching<'a> {
    pub(crate) cache: &'a Arc<Cache>,
    pub(crate) store: &'a Arc<RouteStore>,
}

/// Answers a request of a route that stores: from the store, or it is forwarded and what comes is stored.
pub(crate) async fn through(
    clearance: Clearance,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
    caching: Caching<'_>,
) -> Result<Response<Content>, Refusal> {
    if !is_sought(x, &body) {
        return Box::pin(bypass(clearance, x, body, f, caching)).await;
    }
    let mut seek = Seek::new(&f, caching, x);
    let mut step = trace::step(x, What::Cache, &seek.store.route);
    let looked = match seek.look(x, f.journal) {
        Look::Ask(known) if seek.cache.disk.on().is_some() => {
            Box::pin(seek.recall(known, x, f.journal)).await
        }
        looked => looked,
    };
    trace::note(&mut step, told(seek.store.rules.audience));
    trace::ended(step, seek.found(&looked));
    match looked {
        Look::Answer(response) => Ok(response),
        Look::Renew(response) => {
            seek.renew(clearance, x, f);
            Ok(response)
        }
        Look::Ask(known) => Box::pin(seek.ask(known, clearance, x, f)).await,
    }
}

/// What is stored under, in words (`key.rs` has it exactly), and for whom.
fn told(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "by scheme, host, path and query, for everyone",
        Audience::Callers => "by scheme, host, path and query, for all callers alike",
        Audience::Caller => "by scheme, host, path, query and caller",
    }
}

/// Whether a stored response could answer it, or its response be stored.
fn is_sought(x: &Exchange, body: &RequestBody) -> bool {
    matches!(x.method, Method::GET | Method::HEAD)
        && body.is_end_stream()
        && !conditions::are_for_the_upstream(&x.request)
}

impl Seek {
    fn new(f: &Forwarding<'_>, caching: Caching<'_>, x: &Exchange) -> Seek {
        let Caching { cache, store } = caching;
        let wish = if store.rules.client_directives {
            Wish::of(&x.request)
        } else {
            Wish::default()
        };
        Seek {
            cache: cache.clone(),
            store: store.clone(),
            key: Key::of(x, &f.upstream.name, store.rules.audience, &f.provenance),
            wish,
            credentials: f.provenance.credentials,
            stale: None,
            from_disk: false,
            why: Why::UriMiss,
        }
    }

    pub(super) fn look(&mut self, x: &Exchange, journal: &mut Journal) -> Look {
        if self.wish.no_store {
            self.why = Why::Request;
            return Look::Ask(None);
        }
        let found = self.cache.find(&self.key, &x.request);
        self.judge(found, x, journal)
    }

    /// What becomes of a request for which this is stored.
    pub(super) fn judge(
        &mut self,
        (found, known): (Option<Arc<Stored>>, Option<Arc<Variants>>),
        x: &Exchange,
        journal: &mut Journal,
    ) -> Look {
        self.why = why(&self.wish, known.is_some(), found.is_some());
        self.stale = found;
        let Some(stored) = self.stale.clone() else {
            return Look::Ask(known);
        };
        let (life, now) = (stored.head.life, Instant::now());
        let hit = if self.from_disk {
            Told::DiskHit(life.left(now))
        } else {
            Told::Hit(life.left(now))
        };
        let told = |outcome| (outcome, hit);
        if life.suits(&self.wish, now) {
            let outcome = if life.is_fresh(now) {
                CacheOutcome::Hit
            } else {
                CacheOutcome::Stale
            };
            return Look::Answer(self.answer(x, &stored, journal, told(outcome)));
        }
        if self.wish.is_plain() && life.serves_while_revalidating(now) {
            return Look::Renew(self.answer(x, &stored, journal, told(CacheOutcome::Stale)));
        }
        Look::Ask(known)
    }

    /// What looking came to, for a trail: `hit`, `stale`, or why the upstream is asked.
    fn found(&self, looked: &Look) -> &'static str {
        match looked {
            Look::Answer(_) if self.is_fresh() => "hit",
            Look::Answer(_) | Look::Renew(_) => "stale",
            Look::Ask(_) => self.why.as_str(),
        }
    }

    fn is_fresh(&self) -> bool {
        let stored = self.stale.as_ref();
        stored.is_some_and(|stored| stored.head.life.is_fresh(Instant::now()))
    }

    /// What is stored, stale, because the upstream fails (RFC 5861 section 4).
    pub(super) fn on_error(
        &self,
        x: &Exchange,
        journal: &mut Journal,
    ) -> Option<Response<Content>> {
        let now = Instant::now();
        let stale = self.stale.as_ref()?;
        let life = stale.head.life;
        let told = (CacheOutcome::Stale, Told::OnError(life.left(now)));
        life.serves_on_error(now)
            .then(|| self.answer(x, stale, journal, told))
    }

    pub(super) fn answer(
        &self,
        x: &Exchange,
        stored: &Stored,
        journal: &mut Journal,
        how: (CacheOutcome, Told),
    ) -> Response<Content> {
        let response = stored.answer(&x.method, &Conditions::of(&x.request));
        self.finish(response, journal, how)
    }

    /// Counts, logs and tells where the response came from.
    pub(super) fn finish(
        &self,
        mut response: Response<Content>,
        journal: &mut Journal,
        (outcome, told): (CacheOutcome, Told),
    ) -> Response<Content> {
        self.store.counters.count(outcome);
        journal.record.cache = Some(outcome);
        dress(&mut response, &self.store, told);
        response
    }
}

fn why(wish: &Wish, known: bool, found: bool) -> Why {
    match (known, found) {
        (_, true) if wish.is_plain() => Why::Stale,
        (_, true) => Why::Request,
        (true, false) => Why::VaryMiss,
        (false, false) => Why::UriMiss,
    }
}

/// The last touch on a response of a route that stores.
pub(super) fn dress(response: &mut Response<Content>, store: &RouteStore, told: Told) {
    let headers = response.headers_mut();
    if store.rules.hide_tags {
        headers.remove(SURROGATE_KEY);
        headers.remove(CACHE_TAG);
    }
    if store.rules.status {
        tell(headers, told);
    }
}

/// Whether a status is an error in the sense of RFC 5861 section 4.
pub(super) fn is_error(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// A cookie in a 304 is for the client whose request it answers, and for nobody after.
pub(super) fn pass_cookies(from: &HeaderMap, to: &mut HeaderMap) {
    for cookie in from.get_all(SET_COOKIE) {
        to.append(SET_COOKIE, cookie.clone());
    }
}
