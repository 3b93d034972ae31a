//! The plan: what gateway.toml means. Nothing here is a string where it is a number, and nothing that has a
//! default is an Option.

mod admin;
mod admission;
mod balance;
mod edge;
mod limit;
mod log;
mod resilience;
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
pub use self::resilience::{
    Breaker, Bulkhead, Overload, Priority, Retry, RetryBudget, RouteGuards, UpstreamGuards,
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

/// `[plugin.NAME]`
#[derive(Debug, Clone)]
pub struct PluginPlan {
    pub name: Arc<str>,
    /// Where the name stands in the file.
    pub span: Span,
    /// File name inside the plugin folder.
    pub component: String,
    pub component_span: Span,
    pub instance: InstanceMode,
    pub snapshot: SnapshotMode,
    pub given: Given,
    /// The settings as JSON text, secrets resolved. Redacted in Debug.
    pub settings: Settings,
    pub settings_span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceMode {
    /// A new instance for every request.
    Fresh,
    /// One instance for one request at a time per worker.
    Kept,
}

/// Whether fresh instances are copied from a configured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// Where copies cannot share random numbers.
    Auto,
    Always,
    Never,
}

/// What a plugin may reach and spend: of `[plugin.NAME]`, or what a route leaves of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub grants: PluginGrants,
    pub limits: PluginLimits,
    /// `on_failure = "open"`: a call that fails lets the request pass.
    pub fail_open: bool,
    /// Where `on_failure` stands; the table when it is not there.
    pub on_failure_span: Span,
}

/// `grants = {}` of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginGrants {
    pub upstreams: Vec<UpstreamGrant>,
    /// Calls of upstreams per request.
    pub calls: u32,
    /// Key-value stores.
    pub state: Vec<Arc<str>>,
    pub buckets: Vec<BucketPlan>,
    /// The time of day.
    pub clock: bool,
    pub random: bool,
    /// Bytes of log lines per call.
    pub log: u32,
    /// Whether `upstreams`, `state` and `buckets` are written down, be it as empty.
    pub written: Written,
}

/// Which grants the file mentions. A component may import what is mentioned, even where nothing of it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    pub upstreams: bool,
    pub state: bool,
    pub buckets: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamGrant {
    pub name: Arc<str>,
    /// Empty: every method.
    pub methods: Vec<String>,
    /// Empty: every path. `*` is one segment, a last `**` is the rest.
    pub paths: Vec<String>,
}

/// A kind of token bucket: `"5/1m"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlan {
    pub name: Arc<str>,
    pub size: u32,
    pub per: Duration,
}

/// `limits = {}` of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory in bytes, per instance.
    pub memory: usize,
    /// Wall time of one call, waiting included.
    pub time: Duration,
    /// Time of one call that the guest itself runs.
    pub cpu: Duration,
    /// Host functions one call may call.
    pub host_calls: u32,
    /// Bytes copied into and out of the guest by one call.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Calls at the same time.
    pub concurrent: u32,
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

/// `[[route]]`
#[derive(Debug, Clone)]
pub struct RoutePlan {
    pub name: Arc<str>,
    pub span: Span,
    /// Lower case, without port; `*.example.com` matches any one or more labels. Empty: every host.
    pub hosts: Vec<String>,
    pub path: PathPattern,
    /// Empty: every method.
    pub methods: Vec<String>,
    pub headers: Vec<Condition>,
    pub query: Vec<Condition>,
    pub public: bool,
    /// In the order of the chain.
    pub plugins: Vec<PluginRef>,
    pub answer: AnswerPlan,
    pub mirror: Option<MirrorPlan>,
    pub access: Access,
    pub maintenance: Maintenance,
    /// None: pages of other origins get no permission, and `OPTIONS` is a method like any other.
    pub cors: Option<Cors>,
    pub compress: Option<Arc<Compress>>,
    pub limits: HeadLimits,
    /// Largest request body in bytes.
    pub max_body: u64,
    /// In the order they are asked.
    pub rate_limits: Vec<LimitUse>,
    pub max_concurrent: Vec<ConcurrencyPlan>,
    /// Clients that came in clear text are sent to https.
    pub redirect_https: bool,
    /// Answer with `Server-Timing`: what each plugin took.
    pub server_timing: bool,
    pub websocket: WebSocketPlan,
    pub log: RouteLog,
    /// None: nothing is stored.
    pub cache: Option<RouteCache>,
    pub guards: RouteGuards,
}

/// `cache = {}` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteCache {
    /// For successes whose freshness the upstream does not state. None: it has to, or its headers hint at it.
    pub ttl: Option<Duration>,
    /// The same for lasting failures such as 404.
    pub negative_ttl: Option<Duration>,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub audience: Audience,
    /// A request's own Cache-Control counts.
    pub client_directives: bool,
    /// Answer with `Cache-Status` (RFC 9211).
    pub status: bool,
    /// Take `Surrogate-Key` and `Cache-Tag` out of responses to clients.
    pub hide_tags: bool,
}

/// Who may be given a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The route is public.
    Everyone,
    /// The route has callers, and only the one it was made for gets it again.
    Caller,
    /// The route has callers; they share what the upstream says they may (RFC 9111 section 3.5).
    Callers,
}

#[derive(Debug, Clone)]
pub struct PluginRef {
    pub name: Arc<str>,
    pub span: Span,
    /// What this route leaves the plugin of what it has; None: all of it.
    pub narrowed: Option<Given>,
}

/// A path of a route, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// As written; a prefix is written out, `/a/**`.
    pub text: String,
    pub segments: Vec<Segment>,
    /// Ends in `/**`: this path and everything below it.
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Literal(String),
    Param(String),
}

/// A condition on a header or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Header names are lower case.
    pub name: String,
    pub want: Want,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    Present,
    Absent,
    Equals(String),
}

/// Settings of a plugin: JSON text that Debug never shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings(pub(crate) String);

impl Default for Settings {
    /// No settings: an empty object.
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Settings {
    /// For the plugin itself and for hashing; do not log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings(redacted)")
    }
}
