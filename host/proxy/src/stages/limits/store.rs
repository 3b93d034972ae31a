//! The port behind which the counts are kept: in this process here; another store may be shared by several gateways.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Keeps the counts of one limit. One call is one step: it decides and counts in one go, also between gateways.
pub trait Store: std::fmt::Debug + Send + Sync {
    /// `key` is a keyed hash: a store learns neither addresses nor credentials.
    fn take(&self, key: u64, ask: Ask) -> Answer<'_>;

    fn figures(&self) -> Figures;
}

/// What one request wants.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// How much it counts.
    pub cost: u32,
    /// How long it would wait.
    pub patience: Duration,
    pub now: Instant,
    /// Milliseconds since 1970, for quotas of the calendar.
    pub unix_ms: u64,
}

/// A store in memory answers at once, without a future to allocate and poll.
pub enum Answer<'a> {
    Now(Verdict),
    Later(Pin<Box<dyn Future<Output = Result<Verdict, StoreError>> + Send + 'a>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    /// How much could be taken now.
    pub remaining: u32,
    /// Until there is more than that; zero when nothing is taken.
    pub renewal: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It counts, and may go on after this long: no longer than it would wait.
    Taken(Duration),
    /// It does not count. It would be taken after this long.
    Refused(Duration),
}

/// Why a store did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub keys: u64,
    /// Keys forgotten before their time.
    pub evictions: u64,
    /// Decisions for keys that found no place, on a count that they share.
    pub crowded: u64,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
