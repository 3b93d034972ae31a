//! The plan: what gateway.toml means. Nothing here is a string where it is a number, and nothing that has a
//! default is an Option.

mod admin;
mod admission;
mod balance;
mod edge;
mod limit;
mod log;
mod plugin;
mod resilience;
mod route;
mod tls;
mod trace;
mod websocket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::diagnostic::{Source, Span};

pub use self::admin::{AdminPlan, AdminRole, AdminTls, TokenPlan};
pub use self::admission::{Admission, ClientFrom, HeaderRules};
pub use self::balance::{
    Balance, DiscoveryPlan, EjectPlan, HashBy, HealthPlan, Probe, Secret, ServerPlan, ServerSource,
    StickyPlan,
};
pub use self::edge::*;
pub use self::limit::{ConcurrencyPlan, KeyPart, LimitPlan, LimitUse, PerPlan, Period, RulePlan};
pub use self::log::{Log, LogField, LogFile, LogFormat, Redact, RouteLog, Sample};
pub use self::plugin::{
    BucketPlan, Given, InstanceMode, PluginGrants, PluginLimits, PluginPlan, Settings,
    SnapshotMode, UpstreamGrant, Written,
};
pub use self::resilience::{
    Breaker, Bulkhead, Overload, Priority, Retry, RetryBudget, RouteGuards, UpstreamGuards,
};
pub use self::route::{
    Audience, Condition, PathPattern, PluginRef, RouteCache, RoutePlan, Segment, Want,
};
pub use self::tls::{
    CertificatePlan, ClientAuth, FilePlan, Hsts, Protocol, Tls, TlsVersion, UpstreamTls,
};
pub use trace::{Endpoint, TraceProtocol, TracesPlan};
pub use websocket::WebSocketPlan;

/// Everything `run` needs. Made by [`crate::read`], [`crate::parse`] and [`crate::to_single`].
#[derive(Debug, Clone)]
pub struct Plan {
    /// The text this plan came from, for later mistakes that need the plugins to be seen.
    pub source: Arc<Source>,
    pub listen: Listen,
    pub admin: AdminPlan,
    /// There with `listen.https`, and only then.
    pub tls: Option<Tls>,
    pub timeouts: Timeouts,
    pub discovery: DiscoveryPlan,
    pub log: Log,
    /// None: nothing is recorded.
    pub traces: Option<TracesPlan>,
    /// Signs requests that are told their trail.
    pub debug_key: Option<Secret>,
    pub plugins: Plugins,
    pub cache: CachePlan,
    pub overload: Overload,
    /// In lower case: where clients say how many milliseconds they will wait.
    pub deadline_header: Option<String>,
    /// Asked before a route is found; a route's own comes after it.
    pub access: Access,
    /// By name, in the order of the names.
    pub plugin: BTreeMap<Arc<str>, PluginPlan>,
    pub upstream: BTreeMap<Arc<str>, UpstreamPlan>,
    /// In the order of the file.
    pub routes: Vec<RoutePlan>,
}

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// HTTP/1.1 in clear text.
    pub http: SocketAddr,
    /// HTTP/2 in clear text with prior knowledge (RFC 9113 section 3.3), a listener of its own.
    pub h2c: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub https: Option<SocketAddr>,
    /// Where clients are sent that should have come by https.
    pub https_port: u16,
    pub admin: SocketAddr,
    /// Peers whose X-Forwarded-*, Forwarded and X-Request-Id are believed.
    pub trusted_proxies: Vec<IpNet>,
    pub admission: Admission,
    /// Threads that serve requests; default: the cores of the machine.
    pub workers: usize,
    pub max_connections: usize,
    /// Largest request head in bytes.
    pub max_head: usize,
    /// Longest path and query, in bytes.
    pub max_uri: usize,
    pub max_query: usize,
    pub max_headers: usize,
    /// Largest request body in bytes, on routes that say nothing else.
    pub max_body: u64,
    /// How long exchanges in flight may go on after SIGTERM.
    pub drain: Duration,
}

/// `[timeouts]`, and `timeouts = {}` of an upstream, which overrides single values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The client's request head, from its first byte (or the accept) to its last.
    pub head: Duration,
    /// A client connection between two requests.
    pub keep_alive: Duration,
    /// A TCP connection to a server.
    pub connect: Duration,
    /// From the last byte of the request to the first of the response.
    pub first_byte: Duration,
    /// Between two reads or writes of a body; how long a WebSocket's end may refuse to read.
    pub idle: Duration,
    /// A whole exchange; does not bind WebSockets and event streams.
    pub total: Duration,
}

/// `[plugins]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugins {
    /// Absolute, or relative to the directory of gateway.toml: already joined.
    pub folder: PathBuf,
    /// How many instances may live at once, over all plugins.
    pub instances: u32,
    /// Where machine code is kept between starts, joined like the folder.
    pub cache: Option<PathBuf>,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePlan {
    /// Bytes of stored responses, all routes together.
    pub memory: u64,
    /// Largest body that is stored, in bytes.
    pub max_object: usize,
    /// None: in memory only.
    pub disk: Option<DiskPlan>,
}

/// `[cache.disk]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlan {
    /// Already joined to the directory of gateway.toml.
    pub folder: PathBuf,
    pub folder_span: Span,
    /// Bytes on the disk.
    pub size: u64,
}

/// `[upstream.NAME]`
#[derive(Debug, Clone)]
pub struct UpstreamPlan {
    pub name: Arc<str>,
    pub servers: Vec<ServerPlan>,
    pub balance: Balance,
    pub timeouts: Timeouts,
    /// Per cent of the fair share that a server may have beyond which a hashed request goes to the next.
    pub bounded_load: Option<u32>,
    /// A server that is new or back gets its full share after this.
    pub slow_start: Duration,
    /// Below this share (per cent) of usable servers all are used.
    pub panic: u32,
    pub sticky: Option<StickyPlan>,
    pub health: Option<HealthPlan>,
    pub eject: EjectPlan,
    /// Idle connections kept per server and worker.
    pub keep_alive: usize,
    /// Send the client's Host (true) or the server's address (false).
    pub preserve_host: bool,
    pub guards: UpstreamGuards,
    pub protocol: Protocol,
    /// None: clear text.
    pub tls: Option<UpstreamTls>,
}
