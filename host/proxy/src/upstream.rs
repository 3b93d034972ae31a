//! Upstreams and their servers: which one is next, and which is left alone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::plan::{Balance, Timeouts, UpstreamPlan};
use portcullis_runtime::Exchange;

use crate::connection::{Connection, Pool, pools};

/// A named set of servers, as one generation sees it.
#[derive(Debug)]
pub struct Upstream {
    pub name: Arc<str>,
    pub timeouts: Timeouts,
    pub preserve_host: bool,
    balance: Balance,
    eject_for: Duration,
    servers: Vec<Arc<Server>>,
    /// Requests so far, for round robin and the coin of power-of-two.
    turn: AtomicUsize,
    /// Points of the consistent-hash ring in order: (point, server).
    ring: Vec<(u64, usize)>,
}

/// One server. Lives on over reloads while its address stays in the file.
pub struct Server {
    pub address: Arc<str>,
    weight: u32,
    /// Smooth weighted round robin: how far this server is ahead.
    current: AtomicI64,
    in_flight: AtomicUsize,
    /// Nanoseconds after `born` until which it is left alone.
    ejected_until: AtomicU64,
    ejections: AtomicU64,
    born: Instant,
    pools: Arc<[Pool]>,
}

/// A request's claim on a server: counts it in flight until dropped.
pub struct Ticket {
    server: Arc<Server>,
    worker: usize,
}

/// Points per unit of weight on the ring.
const POINTS: u32 = 100;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

// === impl Upstream ===

impl Upstream {
    /// Takes over the servers of `before` whose address and weight did not change.
    pub fn new(plan: &UpstreamPlan, workers: usize, before: Option<&Upstream>) -> Upstream {
        let known = |address: &str, weight: u32| {
            let servers = before.map(|u| u.servers.as_slice()).unwrap_or_default();
            let same = |s: &&Arc<Server>| {
                *s.address == *address && s.weight == weight && s.pools.len() == workers
            };
            servers.iter().find(same).cloned()
        };
        let server = |address: &str, weight: u32| {
            known(address, weight)
                .unwrap_or_else(|| Arc::new(Server::new(address, weight, workers, plan.keep_alive)))
        };
        let servers: Vec<Arc<Server>> = plan
            .servers
            .iter()
            .map(|s| server(&s.address, s.weight))
            .collect();
        let hashes = matches!(
            plan.balance,
            Balance::HashHeader(_) | Balance::HashCaller | Balance::HashClientIp
        );
        Upstream {
            name: plan.name.clone(),
            timeouts: plan.timeouts,
            preserve_host: plan.preserve_host,
            balance: plan.balance.clone(),
            eject_for: plan.eject_for,
            ring: if hashes { ring(&servers) } else { Vec::new() },
            servers,
            turn: AtomicUsize::new(0),
        }
    }

    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// What a request is hashed by; None where it has no such thing, or the upstream does not hash.
    pub fn key(&self, x: &Exchange) -> Option<u64> {
        match &self.balance {
            Balance::HashHeader(name) => x.request.get(name).map(|v| hash(v.as_bytes())),
            Balance::HashCaller => x.caller.as_ref().map(|c| hash(c.id.as_bytes())),
            Balance::HashClientIp => x.client_ip.map(|ip: IpAddr| hash(&ip)),
            Balance::RoundRobin | Balance::LeastConnections | Balance::PowerOfTwo => None,
        }
    }

    /// The next server to try; never one in `tried`. Ejected servers are passed over while another is left.
    pub fn pick(&self, key: Option<u64>, tried: &[Arc<Server>], worker: usize) -> Option<Ticket> {
        let fresh = |s: &Arc<Server>| !tried.iter().any(|t| Arc::ptr_eq(t, s));
        let server = self
            .choose(key, |s| fresh(s) && !s.is_ejected())
            .or_else(|| self.choose(key, fresh))?;
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Ticket { server, worker })
    }

    /// Leaves a server alone that could not be connected to.
    pub fn eject(&self, server: &Server) {
        let until = server.born.elapsed() + self.eject_for;
        server.ejected_until.store(
            u64::try_from(until.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        server.ejections.fetch_add(1, Ordering::Relaxed);
    }

    fn choose(
        &self,
        key: Option<u64>,
        usable: impl Fn(&Arc<Server>) -> bool,
    ) -> Option<Arc<Server>> {
        match (&self.balance, key) {
            (Balance::LeastConnections, _) => {
                let start = self.turn.fetch_add(1, Ordering::Relaxed);
                // Equals take turns: the search begins at another server each time.
                let n = self.servers.len();
                let rotated = (0..n).map(|i| &self.servers[(start.wrapping_add(i)) % n]);
                let least = rotated.filter(|s| usable(s));
                least.min_by(|a, b| a.load().total_cmp(&b.load())).cloned()
            }
            (Balance::PowerOfTwo, _) => self.power_of_two(usable),
            (_, Some(key)) => self.hashed(key, usable),
            // Round robin, and requests that have nothing to hash.
            (_, None) => self.round_robin(usable),
        }
    }

    /// Smooth weighted round robin as nginx does it: each server gains its weight, the leader serves and pays the
    /// total. Atomics instead of a lock: two workers at once may briefly disagree on the leader, never on the sum.
    fn round_robin(&self, usable: impl Fn(&Arc<Server>) -> bool) -> Option<Arc<Server>> {
        let mut total = 0;
        let mut best: Option<(i64, &Arc<Server>)> = None;
        for server in self.servers.iter().filter(|s| usable(s)) {
            let weight = i64::from(server.weight);
            let current = server.current.fetch_add(weight, Ordering::Relaxed) + weight;
            total += weight;
            if best.is_none_or(|(leader, _)| current > leader) {
                best = Some((current, server));
            }
        }
        let (_, server) = best?;
        server.current.fetch_sub(total, Ordering::Relaxed);
        Some(server.clone())
    }

    fn power_of_two(&self, usable: impl Fn(&Arc<Server>) -> bool) -> Option<Arc<Server>> {
        let left: Vec<&Arc<Server>> = self.servers.iter().filter(|s| usable(s)).collect();
        let coin = hash(&self.turn.fetch_add(1, Ordering::Relaxed));
        let n = left.len() as u64;
        if n < 2 {
            return left.first().map(|s| Arc::clone(s));
        }
        let first = coin % n;
        let second = (first + 1 + (coin >> 32) % (n - 1)) % n;
        let at = |i: u64| left[usize::try_from(i).expect("an index of the list")];
        let (a, b) = (at(first), at(second));
        Some(Arc::clone(if b.load() < a.load() { b } else { a }))
    }

    /// The first usable server clockwise of the key.
    fn hashed(&self, key: u64, usable: impl Fn(&Arc<Server>) -> bool) -> Option<Arc<Server>> {
        let start = self.ring.partition_point(|(point, _)| *point < key);
        let (before, after) = self.ring.split_at(start);
        let mut clockwise = after.iter().chain(before).map(|(_, i)| &self.servers[*i]);
        clockwise.find(|s| usable(s)).cloned()
    }
}

fn ring(servers: &[Arc<Server>]) -> Vec<(u64, usize)> {
    let mut ring: Vec<(u64, usize)> = Vec::new();
    for (i, server) in servers.iter().enumerate() {
        ring.extend(
            (0..server.weight.saturating_mul(POINTS).min(10_000))
                .map(|n| (hash(&(&*server.address, n)), i)),
        );
    }
    ring.sort_unstable();
    ring
}

/// The same for every instance of the gateway: `DefaultHasher::new` has fixed keys.
fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

// === impl Server ===

impl Server {
    fn new(address: &str, weight: u32, workers: usize, keep_alive: usize) -> Server {
        Server {
            address: address.into(),
            weight,
            current: AtomicI64::new(0),
            in_flight: AtomicUsize::new(0),
            ejected_until: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            born: Instant::now(),
            pools: pools(workers, keep_alive),
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    pub fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && self.born.elapsed().as_nanos() < u128::from(until)
    }

    /// Requests in flight per weight.
    #[expect(clippy::cast_precision_loss, reason = "a comparison of small numbers")]
    fn load(&self) -> f64 {
        self.in_flight() as f64 / f64::from(self.weight.max(1))
    }
}

// === impl Ticket ===

impl Ticket {
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// An idle connection that is still open, if there is one.
    pub fn reuse(&self) -> Option<Connection> {
        let pool = self.server.pools.get(self.worker)?;
        std::iter::from_fn(|| pool.pop())
            .find_map(|mut connection| connection.is_usable().then_some(connection))
    }

    /// Keeps a connection for the next request. A full pool drops it, which closes it.
    pub fn keep(&self, connection: Connection) {
        if let Some(pool) = self.server.pools.get(self.worker) {
            drop(pool.push(connection));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
