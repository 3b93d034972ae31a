//! One step of a trail: what it is, what it is about and what it cost.

use std::sync::Arc;
use std::time::Duration;

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    pub what: What,
    /// The plugin, upstream, limit or route that it is about.
    pub of: Arc<str>,
    /// The step that it is a part of.
    pub within: Option<usize>,
    /// Time since the exchange began.
    pub start: Duration,
    pub took: Duration,
    /// One of a closed set for each kind of step.
    pub outcome: &'static str,
    pub facts: Facts,
}

macro_rules! whats {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// The kinds of steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum What { $($variant),+ }

        impl What {
            pub fn as_str(self) -> &'static str {
                match self { $(What::$variant => $name),+ }
            }
        }
    };
}

whats! {
    Find            "find",
    LimitByAddress  "limit_by_address",
    Authenticate    "authenticate",
    Authorize       "authorize",
    LimitByCaller   "limit_by_caller",
    Request         "request",
    RequestBody     "request_body",
    Handle          "handle",
    Cache           "cache",
    Try             "try",
    Call            "call",
    Response        "response",
    ResponseBody    "response_body",
}

/// What is known of a step besides its time and outcome.
#[derive(Debug, Clone, Default)]
pub enum Facts {
    #[default]
    None,
    Cost(Cost),
    Try(Try),
    Note(&'static str),
}

/// What a call of a plugin used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time that the call held a thread.
    pub cpu: Duration,
    /// The most linear memory that its instance has had, in bytes.
    pub memory: usize,
    pub host_calls: u32,
    pub outbound_calls: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// A request at one server.
#[derive(Debug, Clone)]
pub struct Try {
    pub server: Arc<str>,
    /// 1 for the first of the exchange, or of the plugin's call.
    pub number: u32,
    /// Why there is another one: `first`, `status`, `unreachable`, `closed`, `slow` or `hedge`.
    pub because: &'static str,
    /// `http` or `https`
    pub scheme: &'static str,
    /// Shared with the request, not copied. Its query must not be shown.
    pub target: http::uri::PathAndQuery,
    pub method: http::Method,
    pub status: Option<u16>,
}

// === impl What ===

impl What {
    /// A call of a plugin.
    pub fn is_plugin(self) -> bool {
        use What::{Authenticate, Authorize, Handle, Request, RequestBody, Response, ResponseBody};
        matches!(
            self,
            Authenticate | Authorize | Handle | Request | RequestBody | Response | ResponseBody
        )
    }

    /// A request at a server.
    pub fn is_asking(self) -> bool {
        matches!(self, What::Try | What::Call)
    }
}
