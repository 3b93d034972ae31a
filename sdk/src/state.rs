//! What outlives a call: values and token buckets in the gateway's store.
//!
//! A plugin sees only its own stores, and only the ones that gateway.toml grants by name. Nothing in them is
//! promised to last: a restart may empty them, and the oldest entries go when a store is full. Not while
//! configuring: a configured plugin is copied into every fresh instance.
//!
//! ```
//! use portcullis_sdk::state;
//! use std::time::Duration;
//!
//! # fn demo() -> Result<(), state::StateError> {
//! let seen = state::store("replays");
//! if !seen.swap("nonce-1", None, b"", Duration::from_secs(60))? {
//!     // The same nonce again within a minute.
//! }
//! let grant = state::take_tokens("tries", "user-7", 1)?;
//! # let _ = grant.allowed;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

pub use crate::bindings::host::portcullis::plugin::state::StateError;
use crate::wire;

/// A store that gateway.toml grants to this plugin.
#[derive(Debug, Clone, Copy)]
pub struct Store<'a>(&'a str);

/// The answer of a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Whether the tokens were taken.
    pub allowed: bool,
    /// Tokens left.
    pub remaining: u64,
    /// How long until they would be there; zero when allowed.
    pub retry_after: Duration,
}

/// The store of this name.
pub fn store(name: &str) -> Store<'_> {
    Store(name)
}

/// Takes `n` tokens or none from one bucket of a kind that gateway.toml grants; `key` says whose.
pub fn take_tokens(bucket: &str, key: &str, n: u32) -> Result<Grant, StateError> {
    wire::state::take_tokens(bucket, key, n).map(|grant| Grant {
        allowed: grant.allowed,
        remaining: grant.remaining,
        retry_after: Duration::from_millis(grant.retry_after_ms),
    })
}

/// A time to live in the contract's milliseconds: 0 there means "until pushed out", so a short one is 1.
fn millis(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX).max(1)
}

// === impl Store ===

impl Store<'_> {
    /// The value of a key, while it lives.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        wire::state::get(self.0, key)
    }

    /// Sets a value for `ttl`. A key has at most 512 bytes, a value 64 KiB.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<(), StateError> {
        wire::state::set(self.0, key, value.as_ref(), millis(ttl))
    }

    /// Removes a value.
    pub fn delete(&self, key: &str) -> Result<(), StateError> {
        wire::state::delete(self.0, key)
    }

    /// Sets `new` where the value is still `old` (`None`: absent); says whether it did. One step for all
    /// instances of the gateway.
    pub fn swap(
        &self,
        key: &str,
        old: Option<&[u8]>,
        new: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<bool, StateError> {
        wire::state::swap(self.0, key, old, new.as_ref(), millis(ttl))
    }

    /// Adds to a counter that begins at 0; the sum. The time to live counts from the first addition.
    pub fn add(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, StateError> {
        wire::state::add(self.0, key, by, millis(ttl))
    }
}
