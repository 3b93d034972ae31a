//! What gateway.toml says of plugins: where they are, what they are given, and their settings.

use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Span;

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
    /// Digests, message codes and signatures.
    pub crypto: bool,
    pub random: bool,
    /// Bytes of log lines per call.
    pub log: u32,
    /// Whether `upstreams`, `state` and `buckets` are written down, even as empty lists.
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
