//! Which server is next: first how far preference reaches, then one function per way to balance.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use portcullis_config::plan::{Balance, UpstreamPlan};

use super::ring::hash;
use super::set::{Member, ServerSet};
use super::{Key, Server, Ticket, Upstream};

/// How far a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Tier(usize),
    /// Too few servers can be used: all are, whatever is said of them.
    Panic,
}

/// A step of preference carries on alone while this much (per cent) of it is not needed: with 5 of 7 usable
/// it still takes everything.
const SPARE: usize = 140;

/// What a server is taken to need for a request, in seconds, of which nothing is known but that it has one.
const UNKNOWN: f64 = 1e6;
/// No answer counts as faster; without it a fraction of a microsecond would decide.
const FASTEST: f64 = 1e-6;

impl Upstream {
    /// The next server to try; never one in `tried`. Servers that are down or left alone are passed over while
    /// another is left.
    pub fn pick(&self, key: Key, tried: &[Arc<Server>], worker: usize) -> Option<Ticket> {
        let set = self.set.load();
        let fresh = |m: &Member| !tried.iter().any(|t| Arc::ptr_eq(t, &m.server));
        let usable = |m: &Member| m.server.is_usable() && fresh(m);
        let stuck = || {
            set.members
                .iter()
                .find(|m| m.token == key.token && usable(m))
        };
        let member = key
            .token
            .and_then(|_| stuck())
            .or_else(|| match self.reach(&set, key) {
                Reach::Panic => self.choose(&set, key, fresh),
                Reach::Tier(first) => self.choose_from(&set, first, key, usable),
            })
            .or_else(|| self.choose(&set, key, fresh))?;
        Some(Ticket::claim(member.server.clone(), worker))
    }

    /// Steps of preference take requests by how many of their servers can be used.
    fn reach(&self, set: &ServerSet, key: Key) -> Reach {
        let (mut all, mut usable) = (0, 0);
        let mut shares = Vec::new();
        for tier in 0..set.tiers {
            let (mut of_tier, mut well) = (0, 0);
            for member in set.members.iter().filter(|m| m.tier == tier) {
                of_tier += 1;
                well += usize::from(member.server.is_usable());
            }
            (all, usable) = (all + of_tier, usable + well);
            let share = (well * SPARE / of_tier.max(1)).min(100);
            if share == 100 && shares.is_empty() {
                return Reach::Tier(tier);
            }
            shares.push(share);
        }
        let whole: usize = shares.iter().sum();
        if whole < 100 && (usable == 0 || usable * 100 < all * self.plan.panic as usize) {
            return Reach::Panic;
        }
        // A key keeps its step, too.
        let coin = match key.hash {
            Some(key) => hash(&key),
            None => hash(&self.turn.fetch_add(1, Ordering::Relaxed)),
        };
        let mut left = usize::try_from(coin % 100).expect("below 100") * whole.min(100) / 100;
        for (tier, share) in shares.into_iter().enumerate() {
            if left < share {
                return Reach::Tier(tier);
            }
            left -= share;
        }
        Reach::Tier(0)
    }

    /// From the first step, or where nothing of it is left, from the next.
    fn choose_from<'s>(
        &self,
        set: &'s ServerSet,
        first: usize,
        key: Key,
        usable: impl Fn(&Member) -> bool,
    ) -> Option<&'s Member> {
        let of = |tier| self.choose(set, key, |m| m.tier == tier && usable(m));
        of(first).or_else(|| (0..set.tiers).filter(|t| *t != first).find_map(of))
    }

    fn choose<'s>(
        &self,
        set: &'s ServerSet,
        key: Key,
        usable: impl Fn(&Member) -> bool,
    ) -> Option<&'s Member> {
        match (&self.plan.balance, key.hash) {
            (Balance::LeastConnections, _) => self.least_connections(set, usable),
            (Balance::PowerOfTwo, _) => self.better_of_two(set, usable, Member::load),
            (Balance::Ewma | Balance::PeakEwma, _) => self.better_of_two(set, usable, Member::cost),
            (_, Some(key)) => self.hashed(set, key, usable),
            // Round robin, and requests that have nothing to hash.
            (_, None) => self.round_robin(set, usable),
        }
    }

    /// Smooth weighted round robin as nginx does it: each server gains its weight, the leader serves and pays the
    /// total. Atomics instead of a lock: two workers at once may briefly disagree on the leader, never on the sum.
    fn round_robin<'s>(
        &self,
        set: &'s ServerSet,
        usable: impl Fn(&Member) -> bool,
    ) -> Option<&'s Member> {
        let mut total = 0;
        let mut best: Option<(i64, &Member)> = None;
        for member in set.members.iter().filter(|m| usable(m)) {
            let weight = member.points(&self.plan);
            let current = &member.server.current;
            let current = current.fetch_add(weight, Ordering::Relaxed) + weight;
            total += weight;
            if best.is_none_or(|(leader, _)| current > leader) {
                best = Some((current, member));
            }
        }
        let (_, member) = best?;
        member.server.current.fetch_sub(total, Ordering::Relaxed);
        Some(member)
    }

    fn least_connections<'s>(
        &self,
        set: &'s ServerSet,
        usable: impl Fn(&Member) -> bool,
    ) -> Option<&'s Member> {
        let start = self.turn.fetch_add(1, Ordering::Relaxed);
        // Equals take turns: the search begins at another server each time.
        let n = set.members.len();
        let rotated = (0..n).map(|i| &set.members[(start.wrapping_add(i)) % n]);
        let load = |m: &&Member| m.load(&self.plan);
        let least = rotated.filter(|m| usable(m));
        least.min_by(|a, b| load(a).total_cmp(&load(b)))
    }

    fn better_of_two<'s>(
        &self,
        set: &'s ServerSet,
        usable: impl Fn(&Member) -> bool,
        cost: impl Fn(&Member, &UpstreamPlan) -> f64,
    ) -> Option<&'s Member> {
        let left: Vec<&Member> = set.members.iter().filter(|m| usable(m)).collect();
        let coin = hash(&self.turn.fetch_add(1, Ordering::Relaxed));
        let n = left.len() as u64;
        if n < 2 {
            return left.first().copied();
        }
        let first = coin % n;
        let second = (first + 1 + (coin >> 32) % (n - 1)) % n;
        let at = |i: u64| left[usize::try_from(i).expect("an index of the list")];
        let (a, b) = (at(first), at(second));
        Some(if cost(b, &self.plan) < cost(a, &self.plan) {
            b
        } else {
            a
        })
    }

    /// The first usable server clockwise of the key that has room, by the bound on its load (Mirrokni, Thorup,
    /// Zadimoghaddam: Consistent Hashing with Bounded Loads).
    fn hashed<'s>(
        &self,
        set: &'s ServerSet,
        key: u64,
        usable: impl Fn(&Member) -> bool,
    ) -> Option<&'s Member> {
        let clockwise = || {
            let members = set.ring.clockwise(key).map(|i| &set.members[i]);
            members.filter(|m| usable(m))
        };
        let Some(bound) = self.plan.bounded_load else {
            return clockwise().next();
        };
        let all = || set.members.iter().filter(|m| usable(m));
        let requests = 1 + all().map(|m| m.server.in_flight() as u64).sum::<u64>();
        let weights = all().map(|m| u64::from(m.weight)).sum::<u64>().max(1);
        let has_room = |m: &&Member| {
            let most = requests * u64::from(m.weight) * u64::from(bound);
            (m.server.in_flight() as u64) < most.div_ceil(weights * 100)
        };
        // The shares sum up to at least all requests, so somebody has room; a race may say otherwise.
        clockwise().find(has_room).or_else(|| clockwise().next())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a comparison of small numbers")]
impl Member {
    /// Its weight for now.
    fn share(&self, plan: &UpstreamPlan) -> f64 {
        f64::from(self.weight) * self.server.warmth(plan.slow_start)
    }

    /// The same in hundredths, for round robin.
    fn points(&self, plan: &UpstreamPlan) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "weights are far below 2^53"
        )]
        let points = (self.share(plan) * 100.0) as i64;
        points.max(1)
    }

    /// Requests in flight per weight.
    fn load(&self, plan: &UpstreamPlan) -> f64 {
        self.server.in_flight() as f64 / self.share(plan)
    }

    /// The time that one more request is expected to take, per weight.
    fn cost(&self, plan: &UpstreamPlan) -> f64 {
        let in_flight = self.server.in_flight() as f64;
        let time = match self.server.latency.expected(self.server.now()) {
            Some(time) => time.max(FASTEST),
            None if in_flight > 0.0 => UNKNOWN,
            // Nothing is known: the way to know is to ask.
            None => return 0.0,
        };
        time * (in_flight + 1.0) / self.share(plan)
    }
}
