//! Limits over time and at a time, as `[limit.NAME]`, `rate_limit` and `max_concurrent` mean them.

use std::sync::Arc;
use std::time::Duration;

/// A limit over time: of `[limit.NAME]`, or one of a route's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPlan {
    /// In RateLimit headers, metrics and the log.
    pub name: Arc<str>,
    pub per: PerPlan,
    pub rule: RulePlan,
    /// How long a request may be held back instead of being refused; zero: not at all.
    pub throttle: Duration,
    /// Requests held back at the same time.
    pub max_waiting: usize,
    /// Keys remembered at the same time.
    pub max_keys: usize,
    /// Decided, counted and logged, but nothing is refused or held back.
    pub dry_run: bool,
    /// Clients are told in RateLimit headers.
    pub headers: bool,
    /// When the store does not answer: let requests pass.
    pub fail_open: bool,
}

/// Who shares one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerPlan {
    /// Empty: everyone.
    pub parts: Vec<KeyPart>,
    /// IPv6 addresses count together by this many bits.
    pub ipv6_prefix: u8,
}

/// What tells the counts of one limit apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    ClientIp,
    Caller,
    Route,
    /// The subject of the client's certificate, where one was verified.
    TlsSubject,
    /// The key that a request shows: in `x-api-key`, or in `authorization` without its scheme.
    ApiKey,
    /// The value of a request header (lower-case name).
    Header(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulePlan {
    /// A token bucket that holds `burst` and gains `limit` within `per`.
    Gcra {
        limit: u32,
        per: Duration,
        burst: u32,
    },
    /// At most `limit` in every stretch of `per`.
    SlidingWindow { limit: u32, per: Duration },
    /// At most `limit` in each day or month of the calendar, in UTC.
    Quota { limit: u32, period: Period },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Month,
}

/// A limit at its place on a route.
#[derive(Debug, Clone)]
pub struct LimitUse {
    pub limit: Arc<LimitPlan>,
    /// The counts are those of `[limit.NAME]`, shared with other routes.
    pub shared: bool,
    /// What one request counts.
    pub cost: u32,
}

/// A limit of requests at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyPlan {
    pub name: Arc<str>,
    pub per: PerPlan,
    pub limit: u32,
    pub dry_run: bool,
    pub headers: bool,
}

impl RulePlan {
    /// The most that can be taken at once.
    pub fn most(&self) -> u32 {
        match *self {
            RulePlan::Gcra { burst, .. } => burst,
            RulePlan::SlidingWindow { limit, .. } | RulePlan::Quota { limit, .. } => limit,
        }
    }
}

impl PerPlan {
    /// Whether the caller has to be known first.
    pub fn needs_caller(&self) -> bool {
        self.parts.contains(&KeyPart::Caller)
    }
}
