//! The generic cell rate algorithm (ITU-T I.371): a token bucket remembered as the one moment when it will be full.

use std::time::Duration;

use super::{Rule, Tick};
use crate::ground::clock::nanos;
use crate::stages::limits::store::{Decision, Verdict};

#[derive(Debug, Clone, Copy)]
pub struct Gcra {
    /// Nanoseconds in which one token comes. Rounded up: never more than was said.
    gap: u64,
    burst: u32,
}

impl Gcra {
    pub fn new(limit: u32, per: Duration, burst: u32) -> Gcra {
        Gcra {
            gap: nanos(per).div_ceil(u64::from(limit.max(1))).max(1),
            burst: burst.max(1),
        }
    }

    /// Nanoseconds in which an empty bucket fills.
    fn full(&self) -> u64 {
        self.gap.saturating_mul(u64::from(self.burst))
    }

    /// What is left when `missing` nanoseconds are missing to a full bucket, and the time until there is one more.
    fn level(&self, missing: u64) -> (u32, Duration) {
        let (burst, used) = (u64::from(self.burst), missing.div_ceil(self.gap));
        let next = used.min(burst).saturating_sub(1);
        let renewal = missing.saturating_sub(next.saturating_mul(self.gap));
        let left = u32::try_from(burst.saturating_sub(used)).expect("no more than the burst");
        (left, Duration::from_nanos(renewal))
    }
}

impl Rule for Gcra {
    /// When the bucket will be full, in nanoseconds.
    type State = u64;

    fn take(&self, full_at: &mut u64, ask: Tick) -> Verdict {
        let missing = full_at.saturating_sub(ask.nanos);
        let after = missing.saturating_add(self.gap.saturating_mul(u64::from(ask.cost)));
        let wait = after.saturating_sub(self.full());
        let taken = wait <= ask.patience;
        if taken {
            *full_at = ask.nanos.saturating_add(after);
        }
        let (remaining, renewal) = self.level(if taken { after } else { missing });
        let wait = Duration::from_nanos(wait);
        Verdict {
            decision: if taken {
                Decision::Taken(wait)
            } else {
                Decision::Refused(wait)
            },
            remaining,
            renewal,
        }
    }

    fn debt(&self, full_at: &u64, now: Tick) -> u64 {
        full_at.saturating_sub(now.nanos)
    }

    fn is_spent(&self, full_at: &u64, now: Tick) -> bool {
        self.debt(full_at, now).saturating_add(self.gap) > self.full()
    }
}
