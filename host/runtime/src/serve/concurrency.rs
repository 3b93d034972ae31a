//! How many calls of a plugin run at the same time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts the calls that run at the same time.
#[derive(Debug, Default)]
pub(crate) struct Concurrency(AtomicU32);

/// Permission for one call, until it is dropped.
pub(crate) struct CallPermit<'a>(&'a AtomicU32);

impl Concurrency {
    /// A permit, if fewer than `limit` are taken.
    pub(crate) fn acquire(&self, limit: u32) -> Option<CallPermit<'_>> {
        let permit = CallPermit(&self.0);
        (self.0.fetch_add(1, Ordering::Relaxed) < limit).then_some(permit)
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
