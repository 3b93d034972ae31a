//! One server with what is known of it, and a request's claim on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::header::HeaderValue;

use super::latency::Latency;
use super::outlier::Record;
use super::set::Found;
use crate::ground::clock::nanos;
use crate::observe::trace::Asked;
use crate::upstreams::connection::{Connection, Destination, Pool, pools};
use crate::wire::tls::Dial;

/// One server. Lives on over reloads and look-ups while its address does.
pub struct Server {
    /// What is dialled.
    pub address: Arc<str>,
    /// What it is called: the name it was found by, or the address.
    pub host: Arc<str>,
    /// The same, as the Host of requests.
    pub(crate) host_header: HeaderValue,
    pub(crate) dial: Arc<Dial>,
    /// Smooth weighted round robin: how far this server is ahead.
    pub(super) current: AtomicI64,
    pub(super) latency: Latency,
    pub(super) record: Record,
    health: AtomicU8,
    /// Why it is not used, in words; what was last said of it.
    why: ArcSwapOption<String>,
    in_flight: AtomicUsize,
    /// From when on it warms up, in nanoseconds after `born`; 0: it is warm.
    warm_from: AtomicU64,
    retired: AtomicBool,
    born: Instant,
    pools: Arc<[Pool]>,
}

/// What the checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nobody asked, or nobody answered yet.
    Unchecked,
    Up,
    Down,
}

/// A request's claim on a server: counts it in flight until dropped.
pub struct Ticket {
    server: Arc<Server>,
    worker: usize,
}

/// The share of its weight that a server begins with when it warms up.
const COLD: f64 = 0.1;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

// === impl Server ===

impl Server {
    pub(super) fn new(
        found: &Found,
        dial: &Arc<Dial>,
        workers: usize,
        keep_alive: usize,
    ) -> Server {
        Server {
            address: found.address.clone(),
            host: found.host.clone(),
            // The configuration has names of hosts only.
            host_header: HeaderValue::from_str(&found.host).unwrap_or(HeaderValue::from_static("")),
            dial: dial.clone(),
            current: AtomicI64::new(0),
            latency: Latency::default(),
            record: Record::default(),
            health: AtomicU8::new(Health::Unchecked as u8),
            why: ArcSwapOption::empty(),
            in_flight: AtomicUsize::new(0),
            warm_from: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            born: Instant::now(),
            pools: pools(workers, keep_alive),
        }
    }

    /// Whether it can serve on as this one.
    pub(super) fn is(&self, found: &Found, dial: &Arc<Dial>, workers: usize) -> bool {
        self.address == found.address
            && self.host == found.host
            && Arc::ptr_eq(&self.dial, dial)
            && self.pools.len() == workers
    }

    fn destination(&self) -> Destination<'_> {
        Destination {
            dial: &self.dial,
            address: &self.address,
            host: &self.host,
        }
    }

    /// As a trail names it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            address: &self.address,
            scheme: self.dial.scheme(),
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Connections in its pools.
    pub(crate) fn pooled(&self) -> usize {
        self.pools.iter().map(Pool::len).sum()
    }

    /// Time of its own clock.
    pub(super) fn now(&self) -> Duration {
        self.born.elapsed()
    }

    pub fn is_ejected(&self) -> bool {
        self.record
            .ejected_until()
            .is_some_and(|until| self.now() < until)
    }

    /// Neither down nor left alone.
    pub fn is_usable(&self) -> bool {
        self.health() != Health::Down && !self.is_ejected()
    }

    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            1 => Health::Up,
            2 => Health::Down,
            _ => Health::Unchecked,
        }
    }

    /// Takes in what the checks say; returns what they said before.
    pub(super) fn set_health(&self, health: Health) -> Health {
        let before = self.health();
        self.health.store(health as u8, Ordering::Relaxed);
        before
    }

    /// Nobody checks it any more.
    pub(super) fn forget_health(&self) {
        if self.set_health(Health::Unchecked) == Health::Down {
            self.say(None);
        }
    }

    pub(super) fn why(&self) -> Option<Arc<String>> {
        self.why.load_full()
    }

    pub(super) fn say(&self, why: Option<String>) {
        self.why.store(why.map(Arc::new));
    }

    /// Gives it its full share only little by little, beginning at `from` on its clock.
    pub(super) fn warm_up(&self, from: Duration) {
        self.warm_from.store(nanos(from).max(1), Ordering::Relaxed);
    }

    /// The share of its weight that it gets now.
    pub(super) fn warmth(&self, slow_start: Duration) -> f64 {
        let from = self.warm_from.load(Ordering::Relaxed);
        if from == 0 {
            return 1.0;
        }
        let warm = self.now().saturating_sub(Duration::from_nanos(from));
        if warm >= slow_start {
            self.warm_from.store(0, Ordering::Relaxed);
            return 1.0;
        }
        (warm.as_secs_f64() / slow_start.as_secs_f64()).max(COLD)
    }

    /// It is no longer asked: idle connections are closed now, those in use when they are done.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.pools.iter().for_each(Pool::close);
    }
}

// === impl Ticket ===

impl Ticket {
    pub(super) fn claim(server: Arc<Server>, worker: usize) -> Ticket {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        Ticket { server, worker }
    }

    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn pool(&self) -> Option<&Pool> {
        self.server.pools.get(self.worker)
    }

    /// A new connection to the server, or a stream of one that became free meanwhile.
    pub(crate) async fn open(&self) -> io::Result<Connection> {
        Connection::open(self.server.destination(), self.pool()).await
    }

    /// A new connection for a request that may switch protocols.
    pub(crate) async fn open_http1(&self) -> io::Result<Connection> {
        Connection::open_http1(self.server.destination()).await
    }

    /// What can be used again of the connections that are open, if there is such.
    pub(crate) fn reuse(&self, now: Instant) -> Option<Connection> {
        self.pool()?.reuse(now)
    }

    /// Keeps a connection for the next request, if it can serve one.
    pub(crate) fn keep(&self, connection: Connection, now: Instant) {
        if self.server.retired.load(Ordering::Relaxed) {
            return;
        }
        if let (Some(connection), Some(pool)) = (connection.into_idle(now), self.pool()) {
            pool.keep(connection);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
