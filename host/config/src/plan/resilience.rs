//! What keeps trouble small: retries and hedges with their budget, circuit breakers, bulkheads, deadlines, shedding.

use std::time::Duration;

/// `retry = {}` of an upstream; of a route, which overrides single values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Tries of one exchange in all, hedges included; 1 is no retry.
    pub tries: u32,
    /// Statuses after which an idempotent request is tried again.
    pub on: Vec<u16>,
    /// From the connection to the response head, of a try that another may follow; None: the time-outs alone.
    pub per_try: Option<Duration>,
    /// How long a safe request without a body waits for its answer before a second server is asked as well; None: for
    /// ever.
    pub hedge_after: Option<Duration>,
    /// The pause before a server is asked again: up to this, twice as much each time.
    pub back_off: Duration,
    pub max_back_off: Duration,
    /// The largest body that is kept for a second try.
    pub max_body: usize,
}

/// `retry_budget = {}` of an upstream: how many requests may be sent on top of those of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Of the requests of the last ten seconds.
    pub percent: u32,
    /// And this many a second.
    pub min_per_second: u32,
}

/// `breaker = {}` of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// The share of errors at which it opens, in per cent.
    pub errors: u32,
    /// Over what time they are counted.
    pub window: Duration,
    /// Fewer tries than this in the window say nothing.
    pub min_requests: u32,
    pub open_for: Duration,
    /// Tries that must succeed, and the most that go on at once, while it is half open.
    pub probes: u32,
}

/// `max_in_flight`, `queue` and `queue_timeout` of an upstream or a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulkhead {
    pub max_in_flight: usize,
    /// Places to wait for one of them, first come, first served.
    pub queue: usize,
    pub queue_timeout: Duration,
}

/// `priority` of a route: what is refused first when the process is overloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Low,
    Normal,
    /// Never refused for overload.
    Critical,
}

/// `[overload]`: from where on the process counts as overloaded; None: never by this measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overload {
    /// Exchanges of all workers.
    pub in_flight: Option<u64>,
    /// How late the event loop of a worker is.
    pub lag: Option<Duration>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
}

/// What guards an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamGuards {
    pub retry: Retry,
    pub budget: RetryBudget,
    /// None: it never opens.
    pub breaker: Option<Breaker>,
    /// None: no limit.
    pub bulkhead: Option<Bulkhead>,
}

/// What guards a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteGuards {
    /// The upstream's, with what the route says else.
    pub retry: Retry,
    /// None: no limit.
    pub bulkhead: Option<Bulkhead>,
    /// For the whole exchange, on top of the upstream's time-outs; None: those alone.
    pub deadline: Option<Duration>,
    pub priority: Priority,
}
