//! How servers are found, judged and left alone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// `[discovery]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryPlan {
    /// Empty: those of the system.
    pub resolvers: Vec<SocketAddr>,
    pub min_ttl: Duration,
    pub max_ttl: Duration,
    /// Of one look-up.
    pub timeout: Duration,
    /// Where this gateway stands, if that is said.
    pub zone: Option<Arc<str>>,
}

/// One entry of `servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlan {
    pub source: ServerSource,
    pub weight: u32,
    pub zone: Option<Arc<str>>,
    /// Servers of a higher number are used when those of a lower one do not suffice.
    pub priority: u8,
}

/// Where servers are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerSource {
    /// `host:port`; a name is resolved when connecting.
    Address(String),
    /// Every address of a name is a server: `dns:NAME:PORT`.
    Dns { name: String, port: u16 },
    /// Every target of an SRV record (RFC 2782) is one: `srv:NAME`.
    Srv(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Smooth round robin by weight.
    RoundRobin,
    LeastConnections,
    PowerOfTwo,
    /// The better of two by average time to answer and requests in flight.
    Ewma,
    /// The same, by an average that rises at once and falls slowly.
    PeakEwma,
    /// Consistent hash.
    Hash(HashBy),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashBy {
    /// A request header (lower-case name).
    Header(String),
    /// The caller's id.
    Caller,
    /// The client's address.
    ClientIp,
}

/// `sticky = {}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickyPlan {
    pub cookie: String,
    pub secret: Secret,
    /// None: a cookie of the browser's session.
    pub max_age: Option<Duration>,
}

/// A text that Debug never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(crate) String);

/// `health = {}`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthPlan {
    pub probe: Probe,
    /// None: the server's own.
    pub port: Option<u16>,
    pub every: Duration,
    /// Per cent of `every`.
    pub jitter: u32,
    pub timeout: Duration,
    pub up: u32,
    pub down: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    Tcp,
    Http {
        path: String,
        /// None: the server's own name.
        host: Option<String>,
        /// From and to, both included.
        status: Vec<(u16, u16)>,
    },
    /// grpc.health.v1 over HTTP/2 in clear text.
    Grpc {
        /// Empty: the server as a whole.
        service: String,
        host: Option<String>,
    },
}

/// `eject = {}`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectPlan {
    /// Zero: never.
    pub base: Duration,
    pub max: Duration,
    pub connects: u32,
    pub failures: u32,
    /// Per cent; 0: never.
    pub success_rate: u32,
    pub window: Duration,
    pub requests: u32,
    /// Per cent of the servers.
    pub share: u32,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// For what it is the key of; do not log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl fmt::Display for ServerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerSource::Address(address) => f.write_str(address),
            ServerSource::Dns { name, port } => write!(f, "dns:{name}:{port}"),
            ServerSource::Srv(name) => write!(f, "srv:{name}"),
        }
    }
}
