//! Upstreams and their servers: which there are, which is next, and which is left alone.
//!
//! Requests read one immutable [`ServerSet`] and the atomics of its servers. What changes them: `tell` with what
//! each try came to, and one task per upstream of the serving generation that checks and looks up (`tend`).

mod discovery;
mod health;
mod latency;
mod metrics;
mod outlier;
mod pick;
mod probe;
mod ring;
mod server;
mod set;
mod sticky;
mod verdict;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use http::HeaderMap;
use portcullis_config::plan::{Balance, HashBy, Plan, ServerSource, Timeouts, UpstreamPlan};
use portcullis_exchange::Exchange;
use tokio::sync::Notify;

use self::set::{Answers, Found, ServerSet, Terms};
use self::sticky::Token;
use crate::upstreams::shield::Shield;
use crate::wire::tls::Dial;

pub use self::discovery::Resolver;
pub use self::metrics::UpstreamMetrics;
pub(crate) use self::metrics::{Connected, UpstreamFamilies};
pub(crate) use self::ring::hash;
pub use self::server::{Server, Ticket};
pub use self::verdict::Verdict;
pub use self::view::ServerView;

/// All upstreams of a generation by their names.
pub type Upstreams = BTreeMap<Arc<str>, Arc<Upstream>>;

/// A named set of servers, as one generation sees it.
#[derive(Debug)]
pub struct Upstream {
    pub name: Arc<str>,
    pub timeouts: Timeouts,
    pub preserve_host: bool,
    plan: UpstreamPlan,
    dial: Arc<Dial>,
    pub(crate) shield: Arc<Shield>,
    /// Where the gateway stands.
    zone: Option<Arc<str>>,
    workers: usize,
    set: ArcSwap<ServerSet>,
    /// Told when the set has changed.
    changed: Notify,
    /// Requests so far, for the coins and turns of balancing.
    turn: AtomicUsize,
    pub(crate) metrics: UpstreamMetrics,
}

/// What an upstream is reached, guarded and measured by.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) dial: Arc<Dial>,
    pub(crate) shield: Arc<Shield>,
    pub(crate) metrics: UpstreamMetrics,
}

/// What of a request says which server it belongs to; nothing by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Key {
    hash: Option<u64>,
    /// Of the sticky cookie.
    token: Option<Token>,
}

impl Upstream {
    /// Takes over the servers of `before` whose address and dial did not change, and what was found behind names.
    pub(crate) fn new(
        plan: &UpstreamPlan,
        all: &Plan,
        means: Means,
        before: Option<&Upstream>,
    ) -> Upstream {
        let Means {
            dial,
            shield,
            metrics,
        } = means;
        let before = before.map(|before| before.set.load_full());
        let terms = Terms {
            plan,
            dial: &dial,
            zone: all.discovery.zone.as_deref(),
            workers: all.listen.workers,
        };
        let mut answers = Answers::new();
        if let Some(before) = &before {
            answers.clone_from(&before.answers);
            answers.retain(|source, _| plan.servers.iter().any(|s| s.source == *source));
        }
        let set = ServerSet::build(&terms, answers, before.as_deref());
        Upstream {
            name: plan.name.clone(),
            timeouts: plan.timeouts,
            preserve_host: plan.preserve_host,
            plan: plan.clone(),
            dial,
            shield,
            zone: all.discovery.zone.clone(),
            workers: all.listen.workers,
            set: ArcSwap::from_pointee(set),
            changed: Notify::new(),
            turn: AtomicUsize::new(0),
            metrics,
        }
    }

    pub fn dial(&self) -> &Arc<Dial> {
        &self.dial
    }

    pub fn servers(&self) -> Vec<Arc<Server>> {
        let set = self.set.load();
        set.members.iter().map(|m| m.server.clone()).collect()
    }

    /// What this request's server is found by.
    pub fn key(&self, x: &Exchange) -> Key {
        let hash = match &self.plan.balance {
            Balance::Hash(HashBy::Header(name)) => x.request.get(name).map(|v| hash(v.as_bytes())),
            Balance::Hash(HashBy::Caller) => x.caller.as_ref().map(|c| hash(c.id.as_bytes())),
            Balance::Hash(HashBy::ClientIp) => x.client_ip.map(|ip| hash(&ip)),
            _ => None,
        };
        let sticky = self.plan.sticky.as_ref();
        let token = sticky.and_then(|plan| Token::in_request(plan, &x.request));
        Key { hash, token }
    }

    /// Writes the cookie that keeps the client on this server, unless it has it.
    pub fn stick(&self, key: Key, ticket: &Ticket, secure: bool, response: &mut HeaderMap) {
        let Some(plan) = &self.plan.sticky else {
            return;
        };
        let set = self.set.load();
        let token = set.find(ticket.server()).and_then(|member| member.token);
        if let Some(token) = token.filter(|token| key.token != Some(*token)) {
            token.write(plan, secure, response);
        }
    }

    /// Servers are no longer asked that `next` does not have.
    pub(crate) fn retire(&self, next: Option<&Upstream>) {
        let next = next.map(|next| next.set.load_full());
        for server in self.servers() {
            if !next.as_ref().is_some_and(|next| next.has(&server)) {
                server.retire();
            }
        }
    }

    /// Checks and looks up, for as long as it is polled.
    pub(crate) async fn tend(self: Arc<Self>, resolver: Arc<Resolver>) {
        tokio::join!(self.follow(&resolver), self.watch());
    }

    fn publish(&self, source: &ServerSource, found: Arc<[Found]>) {
        let before = self.set.load_full();
        let terms = Terms {
            plan: &self.plan,
            dial: &self.dial,
            zone: self.zone.as_deref(),
            workers: self.workers,
        };
        let mut answers = before.answers.clone();
        answers.insert(source.clone(), found);
        let next = ServerSet::build(&terms, answers, Some(&before));
        let gone = before.members.iter().filter(|m| !next.has(&m.server));
        let gone: Vec<Arc<Server>> = gone.map(|m| m.server.clone()).collect();
        self.set.store(Arc::new(next));
        gone.iter().for_each(|server| server.retire());
        self.changed.notify_one();
    }
}
