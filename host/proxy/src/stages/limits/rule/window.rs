//! The sliding window: never more than the limit in any stretch of its time, however the requests come.
//!
//! A log of every request would be exact, and as large as the limit. Here a ring of `N` slots counts; the window is
//! `N - 1` of them long, and a slot counts until its last moment has left the window. So a refusal may last one slot
//! longer than it had to, and what is taken is never too much. The usual pair of counters, weighted by time, errs in
//! both directions.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Rule, Tick};
use crate::ground::clock::nanos;
use crate::stages::limits::store::{Decision, Verdict};

/// `C` counts one slot: bytes for limits up to 255, so that 32 slots take no more room than 8 of four bytes.
#[derive(Debug, Clone, Copy)]
pub struct Window<C, const N: usize> {
    limit: u32,
    /// Nanoseconds.
    slot: u64,
    counts: PhantomData<fn() -> C>,
}

/// The last `N` slots up to `head`.
#[derive(Debug, Clone, Copy)]
pub struct Ring<C, const N: usize> {
    head: u64,
    counts: [C; N],
}

/// What counts the requests of one slot.
pub trait Counter:
    std::fmt::Debug + Copy + Default + Into<u32> + TryFrom<u32> + Send + Sync + 'static
{
}

impl Counter for u8 {}
impl Counter for u32 {}

impl<C: Counter, const N: usize> Default for Ring<C, N> {
    fn default() -> Self {
        Ring {
            head: 0,
            counts: [C::default(); N],
        }
    }
}

impl<C: Counter, const N: usize> Ring<C, N> {
    fn at(&self, slot: u64) -> u32 {
        self.counts[place::<N>(slot)].into()
    }

    fn oldest(&self) -> u64 {
        (self.head + 1).saturating_sub(N as u64)
    }

    /// Forgets what has left the window by `slot`.
    fn advance(&mut self, slot: u64) {
        let first = (self.head + 1).max((slot + 1).saturating_sub(N as u64));
        for passed in first..=slot {
            self.counts[place::<N>(passed)] = C::default();
        }
        self.head = self.head.max(slot);
    }

    /// What the slots that are still in the window at `slot` have counted.
    fn total(&self, slot: u64) -> u32 {
        let live = (self.oldest()..=self.head).filter(|at| at + N as u64 > slot);
        live.map(|at| self.at(at)).sum()
    }
}

fn place<const N: usize>(slot: u64) -> usize {
    usize::try_from(slot % N as u64).expect("less than N")
}

impl<C: Counter, const N: usize> Window<C, N> {
    /// `limit` must fit `C`.
    pub fn new(limit: u32, per: Duration) -> Self {
        Window {
            limit,
            slot: nanos(per).div_ceil(N as u64 - 1).max(1),
            counts: PhantomData,
        }
    }

    /// Two threads may come in another order than they read the clock: time does not run backwards here.
    fn slot(&self, ring: &Ring<C, N>, now: u64) -> u64 {
        (now / self.slot).max(ring.head)
    }

    /// Nanoseconds until `much` of what is counted has left.
    fn until_free(&self, ring: &Ring<C, N>, now: u64, much: u32) -> u64 {
        let mut freed = 0_u32;
        for slot in ring.oldest()..=ring.head {
            freed += ring.at(slot);
            if freed >= much {
                return ((slot + N as u64) * self.slot).saturating_sub(now);
            }
        }
        self.slot * N as u64
    }
}

impl<C: Counter, const N: usize> Rule for Window<C, N> {
    type State = Ring<C, N>;

    fn take(&self, ring: &mut Ring<C, N>, ask: Tick) -> Verdict {
        let slot = self.slot(ring, ask.nanos);
        ring.advance(slot);
        let total: u32 = ring.counts.iter().map(|count| (*count).into()).sum();
        let after = total.saturating_add(ask.cost);
        let place = place::<N>(slot);
        let count = C::try_from(ring.counts[place].into().saturating_add(ask.cost)).ok();
        let (decision, remaining) = match count.filter(|_| after <= self.limit) {
            Some(count) => {
                ring.counts[place] = count;
                (Decision::Taken(Duration::ZERO), self.limit - after)
            }
            None => {
                let wait = self.until_free(ring, ask.nanos, after.saturating_sub(self.limit));
                let left = self.limit.saturating_sub(total);
                (Decision::Refused(Duration::from_nanos(wait)), left)
            }
        };
        let renewal = if remaining < self.limit {
            self.until_free(ring, ask.nanos, 1)
        } else {
            0
        };
        Verdict {
            decision,
            remaining,
            renewal: Duration::from_nanos(renewal),
        }
    }

    fn debt(&self, ring: &Ring<C, N>, now: Tick) -> u64 {
        u64::from(ring.total(self.slot(ring, now.nanos)))
    }

    fn is_spent(&self, ring: &Ring<C, N>, now: Tick) -> bool {
        self.debt(ring, now) >= u64::from(self.limit)
    }
}
