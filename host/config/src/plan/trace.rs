//! Where traces go.

use std::time::Duration;

use super::Secret;

/// `[traces]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracesPlan {
    pub endpoint: Endpoint,
    pub protocol: TraceProtocol,
    /// Valid names in lower case, with values that a header can hold.
    pub headers: Vec<(String, Secret)>,
    /// `service.name`
    pub service: String,
    /// Per cent of the traces that begin here.
    pub sample: u32,
    /// Only trusted proxies are believed which trace they are in.
    pub trusted_only: bool,
    pub user_agent: bool,
    /// Exchanges that may wait.
    pub queue: usize,
    /// For one batch.
    pub timeout: Duration,
}

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub tls: bool,
    /// `host:port`
    pub address: String,
    /// Of OTLP over HTTP.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceProtocol {
    Http,
    Grpc,
}
