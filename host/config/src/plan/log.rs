//! The access log.

use std::path::PathBuf;
use std::sync::Arc;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One line per exchange.
    pub access: bool,
    pub format: LogFormat,
    /// In the order of a line; what is not in it is not told.
    pub fields: Vec<LogField>,
    /// Lower case.
    pub request_headers: Vec<String>,
    pub response_headers: Vec<String>,
    pub redact: Redact,
    pub sample: Vec<Sample>,
    /// None: stdout.
    pub file: Option<LogFile>,
}

macro_rules! fields {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// What a line can tell, in its order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LogField { $($variant),+ }

        impl LogField {
            pub(crate) const ALL: &[LogField] = &[$(LogField::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(LogField::$variant => $name),+ }
            }
        }
    };
}

fields! {
    Time       "time",
    ClientIp   "client_ip",
    Method     "method",
    Host       "host",
    Path       "path",
    Query      "query",
    Status     "status",
    BytesIn    "bytes_in",
    BytesOut   "bytes_out",
    Duration   "duration_ms",
    Route      "route",
    Caller     "caller",
    Upstream   "upstream",
    Server     "server",
    Cache      "cache",
    RequestId  "request_id",
    TraceId    "trace_id",
    Refusal    "refusal",
    Limit      "limit",
    Limited    "limited",
    Because    "because",
    Aborted    "aborted",
    DroppedHeaders "dropped_headers",
    NotUnderstood "not_understood",
    Websocket  "websocket",
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people at a terminal, else JSON.
    Auto,
    Json,
    Text,
}

/// Names whose values are secrets, beside those that always are. Lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redact {
    pub headers: Vec<String>,
    pub parameters: Vec<String>,
    pub members: Vec<String>,
}

/// How many of some exchanges have a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// 2 for 2xx. None: any below 400.
    pub class: Option<u16>,
    /// None: any.
    pub route: Option<Arc<str>>,
    /// Per cent.
    pub share: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    pub path: PathBuf,
    /// Bytes. None: it grows.
    pub rotate: Option<u64>,
    pub keep: usize,
}

/// `log` of a route: how many bytes of bodies may be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteLog {
    pub request_body: Option<usize>,
    pub response_body: Option<usize>,
}
