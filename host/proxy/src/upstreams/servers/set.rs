//! The servers of an upstream as they are now: immutable, swapped whole, read by requests without a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use portcullis_config::plan::{Balance, ServerPlan, ServerSource, UpstreamPlan};

use super::ring::Ring;
use super::server::Server;
use super::sticky::Token;
use crate::wire::tls::Dial;

/// Servers found behind names, by where they were looked for.
pub(super) type Answers = BTreeMap<ServerSource, Arc<[Found]>>;

/// One server found behind a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// IP address and port.
    pub(super) address: Arc<str>,
    /// The name it was found by, with the port.
    pub(super) host: Arc<str>,
    pub(super) weight: u32,
    pub(super) priority: u8,
}

#[derive(Debug, Default)]
pub(super) struct ServerSet {
    pub(super) members: Vec<Member>,
    /// How many steps of preference there are.
    pub(super) tiers: usize,
    pub(super) ring: Ring,
    pub(super) answers: Answers,
    /// Servers that are no longer of the set and still have requests.
    leaving: Vec<Weak<Server>>,
}

/// A server in its place.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    pub(super) weight: u32,
    pub(super) zone: Option<Arc<str>>,
    pub(super) priority: u8,
    /// Its step of preference: by priority, then the own zone before others.
    pub(super) tier: usize,
    /// What a sticky cookie says for it.
    pub(super) token: Option<Token>,
}

/// What a set is made by.
pub(super) struct Terms<'a> {
    pub(super) plan: &'a UpstreamPlan,
    pub(super) dial: &'a Arc<Dial>,
    pub(super) zone: Option<&'a str>,
    pub(super) workers: usize,
}

impl ServerSet {
    /// The servers of the file, and those found so far. One that `before` has lives on with its state.
    pub(super) fn build(terms: &Terms<'_>, answers: Answers, before: Option<&ServerSet>) -> Self {
        let mut members = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in &terms.plan.servers {
            let fixed = fixed(entry);
            let found = fixed.as_slice();
            let found = match answers.get(&entry.source) {
                Some(answer) => answer,
                None => found,
            };
            for found in found {
                if seen.insert(found.address.clone()) {
                    members.push(member(terms, entry, found, before));
                }
            }
        }
        let tiers = rank(&mut members, terms.zone);
        let points = members.iter().map(|m| (&*m.server.address, m.weight));
        let ring = match terms.plan.balance {
            Balance::Hash(_) => Ring::of(points),
            _ => Ring::default(),
        };
        let leaving = before.map(|b| b.left(&members)).unwrap_or_default();
        ServerSet {
            members,
            tiers,
            ring,
            answers,
            leaving,
        }
    }

    pub(super) fn has(&self, server: &Arc<Server>) -> bool {
        self.find(server).is_some()
    }

    pub(super) fn find(&self, server: &Arc<Server>) -> Option<&Member> {
        self.members.iter().find(|m| Arc::ptr_eq(&m.server, server))
    }

    /// Servers that left and still have requests.
    pub(super) fn leaving(&self) -> impl Iterator<Item = Arc<Server>> {
        let alive = self.leaving.iter().filter_map(Weak::upgrade);
        alive.filter(|server| server.in_flight() > 0)
    }

    /// Those of this set that are none of `members`.
    fn left(&self, members: &[Member]) -> Vec<Weak<Server>> {
        let now = self.members.iter().map(|m| m.server.clone());
        let all = now.chain(self.leaving());
        all.filter(|server| !members.iter().any(|m| Arc::ptr_eq(&m.server, server)))
            .map(|server| Arc::downgrade(&server))
            .collect()
    }
}

fn fixed(entry: &ServerPlan) -> Option<Found> {
    let ServerSource::Address(address) = &entry.source else {
        return None;
    };
    let address: Arc<str> = Arc::from(address.as_str());
    Some(Found {
        host: address.clone(),
        address,
        weight: 1,
        priority: 0,
    })
}

fn member(
    terms: &Terms<'_>,
    entry: &ServerPlan,
    found: &Found,
    before: Option<&ServerSet>,
) -> Member {
    let plan = terms.plan;
    let members = before.map(|b| b.members.as_slice()).unwrap_or_default();
    let known = members
        .iter()
        .find(|m| m.server.is(found, terms.dial, terms.workers))
        .map(|m| m.server.clone());
    let server = known.unwrap_or_else(|| {
        let server = Server::new(found, terms.dial, terms.workers, plan.keep_alive);
        // Where all are new, none has to be spared.
        if !members.is_empty() && !plan.slow_start.is_zero() {
            server.warm_up(Duration::ZERO);
        }
        Arc::new(server)
    });
    if plan.health.is_none() {
        server.forget_health();
    }
    let sticky = plan.sticky.as_ref();
    Member {
        token: sticky.map(|sticky| Token::of(&sticky.secret, &plan.name, &found.address)),
        server,
        weight: entry.weight.saturating_mul(found.weight).max(1),
        zone: entry.zone.clone(),
        priority: entry.priority.saturating_add(found.priority),
        tier: 0,
    }
}

/// Numbers the steps of preference; returns how many there are.
fn rank(members: &mut [Member], own: Option<&str>) -> usize {
    let foreign = |m: &Member| own.is_some() && m.zone.as_deref() != own;
    let steps: BTreeSet<(u8, bool)> = members.iter().map(|m| (m.priority, foreign(m))).collect();
    for member in members {
        let step = (member.priority, foreign(member));
        member.tier = steps.iter().take_while(|s| **s < step).count();
    }
    steps.len()
}
