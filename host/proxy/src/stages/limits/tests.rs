//! The counts against models too simple to be wrong, and the table under attack.

mod models;
mod promises;
mod stage;
mod tables;

use std::time::Duration;

use super::rule::Tick;

const SECOND: u64 = 1_000_000_000;

/// Numbers that look random and are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn number(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).expect("below a u32")
    }
}

fn at(nanos: u64) -> Tick {
    Tick {
        nanos,
        unix_ms: nanos / 1_000_000,
        cost: 1,
        patience: 0,
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
