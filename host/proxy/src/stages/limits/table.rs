//! The store in memory: hash tables under many small locks, bounded in keys.
//!
//! A lock is held for one look-up and one computation; nothing waits, allocates (but for a table that grows) or calls
//! out under it. A full table forgets the key that loses least by it, and never one that would be refused: attackers
//! that rotate keys push out each other, and whoever is over a limit stays so. Where every place is taken by such keys,
//! new ones share one count. See docs/decisions/0013.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};

use super::rule::{Rule, Tick};
use super::store::{Answer, Ask, Figures, Store};
use crate::ground::clock::nanos;

/// Keys under one lock. Small, so that a table that grows does it within microseconds.
const SHARD: usize = 1_536;
/// Keys that a new key looks at to clear away what is over.
const SWEEP: usize = 2;
/// Keys among which a full table chooses the one to forget.
const CHOICE: usize = 8;
/// Buckets, most of them empty, that are passed to find those.
const FAR: usize = 256;

#[derive(Debug)]
pub struct Table<R: Rule> {
    rule: R,
    born: Instant,
    shards: Box<[Mutex<Shard<R::State>>]>,
    /// Keys of one shard.
    room: usize,
    evictions: AtomicU64,
    crowded: AtomicU64,
}

#[derive(Debug)]
struct Shard<S> {
    keys: HashTable<Entry<S>>,
    /// The bucket that is looked at next.
    hand: usize,
    /// Of the keys that found no place.
    rest: S,
}

#[derive(Debug)]
struct Entry<S> {
    key: u64,
    state: S,
}

impl<R: Rule> Table<R> {
    pub fn new(rule: R, max_keys: usize, born: Instant) -> Self {
        let shards = max_keys.div_ceil(SHARD).max(1);
        let shard = |_| {
            Mutex::new(Shard {
                keys: HashTable::new(),
                hand: 0,
                rest: R::State::default(),
            })
        };
        Table {
            rule,
            born,
            shards: (0..shards).map(shard).collect(),
            room: (max_keys / shards).max(1),
            evictions: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard<R::State>> {
        // hashbrown takes its bits from both ends of the hash; these are from the middle.
        let index = (((key >> 16) & 0xffff_ffff) * self.shards.len() as u64) >> 32;
        let index = usize::try_from(index).expect("less than the shards");
        self.shards[index].lock()
    }

    /// Looks at the next `n` keys and forgets those that are as if never seen.
    fn sweep(&self, shard: &mut Shard<R::State>, n: usize, tick: Tick) {
        let mut seen = 0;
        for _ in 0..shard.keys.num_buckets().min(4 * n) {
            let index = shard.step();
            let Some(entry) = shard.keys.get_bucket(index) else {
                continue;
            };
            if self.rule.debt(&entry.state, tick) == 0 {
                shard.forget(index);
            }
            seen += 1;
            if seen == n {
                return;
            }
        }
    }

    /// Makes room for one key. False: every key looked at is over its limit.
    fn make_room(&self, shard: &mut Shard<R::State>, key: u64, tick: Tick) -> bool {
        self.sweep(shard, CHOICE, tick);
        if shard.keys.len() < self.room {
            return true;
        }
        let mut least: Option<((u64, u64), usize)> = None;
        let mut seen = 0;
        for _ in 0..shard.keys.num_buckets().min(FAR) {
            let index = shard.step();
            let Some(entry) = shard.keys.get_bucket(index) else {
                continue;
            };
            // Among equals by chance: always the first would wear holes into the table.
            let rank = (self.rule.debt(&entry.state, tick), entry.key ^ key);
            let spent = self.rule.is_spent(&entry.state, tick);
            if !spent && least.is_none_or(|(less, _)| rank < less) {
                least = Some((rank, index));
            }
            seen += 1;
            if seen == CHOICE {
                break;
            }
        }
        if let Some((_, index)) = least {
            shard.forget(index);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        least.is_some()
    }
}

impl<S> Shard<S> {
    fn step(&mut self) -> usize {
        let index = self.hand.min(self.keys.num_buckets().saturating_sub(1));
        self.hand = index + 1;
        if self.hand >= self.keys.num_buckets() {
            self.hand = 0;
        }
        index
    }

    fn forget(&mut self, index: usize) {
        if let Ok(entry) = self.keys.get_bucket_entry(index) {
            entry.remove();
        }
    }
}

impl<R: Rule> Store for Table<R> {
    fn take(&self, key: u64, ask: Ask) -> Answer<'_> {
        let tick = Tick {
            nanos: nanos(ask.now.saturating_duration_since(self.born)),
            unix_ms: ask.unix_ms,
            cost: ask.cost,
            patience: nanos(ask.patience),
        };
        let mut shard = self.shard(key);
        if let Some(entry) = shard.keys.find_mut(key, |entry| entry.key == key) {
            return Answer::Now(self.rule.take(&mut entry.state, tick));
        }
        self.sweep(&mut shard, SWEEP, tick);
        if shard.keys.len() >= self.room && !self.make_room(&mut shard, key, tick) {
            self.crowded.fetch_add(1, Ordering::Relaxed);
            return Answer::Now(self.rule.take(&mut shard.rest, tick));
        }
        let mut state = R::State::default();
        let verdict = self.rule.take(&mut state, tick);
        let entry = Entry { key, state };
        shard.keys.insert_unique(key, entry, |entry| entry.key);
        Answer::Now(verdict)
    }

    fn figures(&self) -> Figures {
        let keys: usize = self
            .shards
            .iter()
            .map(|shard| shard.lock().keys.len())
            .sum();
        Figures {
            keys: keys as u64,
            evictions: self.evictions.load(Ordering::Relaxed),
            crowded: self.crowded.load(Ordering::Relaxed),
        }
    }
}
