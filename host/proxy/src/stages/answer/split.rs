//! Traffic splits: which of several upstreams a request goes to.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::COOKIE;
use portcullis_config::plan::{Condition, SidePlan, SplitBy, SplitPlan};
use portcullis_exchange::Exchange;
use prometheus::IntCounter;

use crate::stages::edge::EdgeMetrics;
use crate::stages::router::{headers_hold, holds};
use crate::upstreams::servers::{Upstream, hash};

#[derive(Debug)]
pub struct Split {
    by: SplitBy,
    sides: Vec<Side>,
    /// Requests so far, where each is drawn anew.
    turn: AtomicU64,
}

#[derive(Debug)]
struct Side {
    upstream: Arc<Upstream>,
    weight: f64,
    headers: Vec<Condition>,
    cookies: Vec<Condition>,
    taken: IntCounter,
}

// === impl Split ===

impl Split {
    pub(super) fn new(
        plan: &SplitPlan,
        route: &str,
        upstream: impl Fn(&str) -> Option<Arc<Upstream>>,
        figures: &EdgeMetrics,
    ) -> Option<Split> {
        let side = |side: &SidePlan| {
            Some(Side {
                upstream: upstream(&side.upstream)?,
                weight: f64::from(side.weight),
                headers: side.headers.clone(),
                cookies: side.cookies.clone(),
                taken: figures.split.with_label_values(&[route, &side.upstream]),
            })
        };
        Some(Split {
            by: plan.by,
            sides: plan.sides.iter().map(side).collect::<Option<_>>()?,
            turn: AtomicU64::new(0),
        })
    }

    /// The first side whose conditions all hold, else one by weight.
    pub(super) fn side(&self, x: &Exchange) -> &Arc<Upstream> {
        let asked_for = self.sides.iter().find(|side| side.is_asked_for(&x.request));
        let side = asked_for.unwrap_or_else(|| self.by_weight(self.key(x)));
        side.taken.inc();
        &side.upstream
    }

    /// Rendezvous hashing: each side draws a number by the key and its own name, weighted so that sides win by their
    /// shares. A change of weights moves only those keys that have to move, whatever the order of the file.
    fn by_weight(&self, key: u64) -> &Side {
        let mut best = (f64::NEG_INFINITY, &self.sides[0]);
        for side in self.sides.iter().filter(|side| side.weight > 0.0) {
            let score = side.weight / -unit(hash(&(key, &*side.upstream.name))).ln();
            if score > best.0 {
                best = (score, side);
            }
        }
        best.1
    }

    fn key(&self, x: &Exchange) -> u64 {
        match (self.by, &x.caller) {
            (SplitBy::Request, _) => hash(&self.turn.fetch_add(1, Ordering::Relaxed)),
            (SplitBy::Caller, Some(caller)) => hash(caller.id.as_bytes()),
            (SplitBy::Caller, None) | (SplitBy::ClientIp, _) => hash(&x.client_ip.map(household)),
        }
    }
}

impl Side {
    fn is_asked_for(&self, headers: &HeaderMap) -> bool {
        let has_conditions = !(self.headers.is_empty() && self.cookies.is_empty());
        has_conditions
            && headers_hold(headers, &self.headers)
            && cookies_hold(headers, &self.cookies)
    }
}

/// RFC 6265 section 4.2.1: `name=value` pairs, split by semicolons.
fn cookies_hold(headers: &HeaderMap, conditions: &[Condition]) -> bool {
    conditions.iter().all(|condition| {
        let pairs = headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|b| *b == b';'));
        let values = pairs.filter_map(|pair| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(condition.name.as_bytes())?;
            value.strip_prefix(b"=")
        });
        holds(&condition.want, values)
    })
}

/// An IPv6 client has a whole /64 and changes its address within it (RFC 8981).
fn household(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) >> 64 << 64;
            Ipv6Addr::from(bits).into()
        }
    }
}

/// Between 0 and 1, neither of them.
#[expect(clippy::cast_precision_loss, reason = "53 bits are enough for a share")]
fn unit(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}
