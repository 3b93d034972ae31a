//! What is stored is brought up to date: by a 304, by a HEAD that shows it to be old, or beside the client that was just
//! answered with what is stale.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::AGE;
use http::{HeaderMap, Method, Response, StatusCode};
use portcullis_exchange::Exchange;

use super::control::Says;
use super::fetch::{Asked, end};
use super::flight::{Boarding, Landing, Lead};
use super::judge::judge;
use super::life::{Life, Times};
use super::status::Told;
use super::stored::{Head, Stored, freshened, storable, tags};
use super::way::{Seek, pass_cookies};
use crate::ground::clock::ms_since_1970;
use crate::ground::deadline::Deadline;
use crate::observe::journal::Journal;
use crate::observe::record::CacheOutcome;
use crate::observe::watch::Watch;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::forward::Forwarding;

impl Seek {
    /// The upstream says that what is stored is still the one (RFC 9111 section 4.3.4).
    pub(super) fn freshen(
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

    /// What a HEAD says of the stored response to a GET (RFC 9111 section 4.3.5): when they differ, the stored one
    /// is of another time.
    pub(super) fn compare(&self, response: &Response<Content>) {
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
            now_ms: ms_since_1970(SystemTime::now()),
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
