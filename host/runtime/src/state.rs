//! The port behind the contract's `state`: a store that outlives instances. In memory here; another one may be
//! shared by several gateways.

mod bucket;
pub(crate) mod memory;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::spec::Bucket;

/// Why a store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unavailable(String),
}

/// The answer of a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    pub remaining: u64,
    /// Until the asked tokens are there; zero when allowed.
    pub retry_after: Duration,
}

pub type StateFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send + 'a>>;

/// Values by space and key. A space belongs to one plugin and one of its stores. Each operation is one step, also
/// between gateways.
pub trait State: Send + Sync {
    fn get<'a>(&'a self, space: &'a str, key: &'a str) -> StateFuture<'a, Option<Vec<u8>>>;

    /// Without `ttl` the value stays until it is pushed out.
    fn set<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        value: Vec<u8>,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, ()>;

    fn delete<'a>(&'a self, space: &'a str, key: &'a str) -> StateFuture<'a, ()>;

    /// Sets `new` where the value is `old`; whether it did.
    fn swap<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        old: Option<Vec<u8>>,
        new: Vec<u8>,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, bool>;

    /// Adds to a decimal counter; the sum, saturated. The ttl counts from the first addition.
    fn add<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        by: i64,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, i64>;

    /// Takes `n` tokens or none.
    fn take<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        bucket: &'a Bucket,
        n: u32,
    ) -> StateFuture<'a, Taken>;
}
