//! Turns: how guests that run for long leave their worker to the others.
//!
//! A worker is one thread. A guest that merely yields after each tick lets every other exchange take one step, and an
//! exchange takes several: behind one looping plugin a healthy request waited five ticks, behind twenty a hundred.
//! So one that has run a whole tick waits as many ticks as there are such guests before it goes on: together they
//! have about half of the workers, however many they are.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::engine::TICK;

/// Guests under way that have run for a whole tick, over all workers.
static LONG: AtomicU32 = AtomicU32::new(0);

/// A call counts as long from here until this is dropped.
#[derive(Debug)]
pub(crate) struct Long(());

impl Long {
    pub(crate) fn begin() -> Long {
        LONG.fetch_add(1, Ordering::Relaxed);
        Long(())
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        LONG.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a guest waits for at the end of its first tick, which may have begun just before that end.
pub(crate) async fn step_aside() {
    // Not a plain yield, which wakes at once: tokio then looks at sockets only every 61 polls, 122 ms here.
    tokio::task::yield_now().await;
}

/// What a guest waits for at the end of every further tick.
pub(crate) async fn wait_for_others() {
    tokio::time::sleep(TICK * LONG.load(Ordering::Relaxed).max(1)).await;
}
