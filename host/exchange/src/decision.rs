//! What a plugin decides: a response of its own, to go on, or a refusal.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// A whole response made by a plugin.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a filter decided.
#[derive(Debug)]
pub enum Outcome {
    Next,
    Respond(Reply),
}

/// A plugin's decision not to let the exchange go on.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub reason: RefusalReason,
    /// For the client.
    pub detail: Option<String>,
    /// For the log line only.
    pub because: Option<String>,
    pub headers: HeaderMap,
    /// Extension members of the problem document: name and JSON text.
    pub members: Vec<(String, String)>,
}

macro_rules! refusal_reasons {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// The refusals that a plugin may name (`outcome.refusal.reason` of the contract).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RefusalReason { $($variant),+ }

        impl RefusalReason {
            pub const ALL: &[(&str, RefusalReason)] = &[$(($name, RefusalReason::$variant)),+];
        }
    };
}

refusal_reasons! {
    Unauthenticated "unauthenticated",
    Forbidden "forbidden",
    InvalidRequest "invalid-request",
    NotFound "not-found",
    Conflict "conflict",
    TooLarge "too-large",
    UnsupportedMediaType "unsupported-media-type",
    Unprocessable "unprocessable",
    RateLimited "rate-limited",
    BadGateway "bad-gateway",
    Unavailable "unavailable",
}

impl RefusalReason {
    pub fn named(name: &str) -> Option<RefusalReason> {
        Self::ALL
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, reason)| *reason)
    }
}
