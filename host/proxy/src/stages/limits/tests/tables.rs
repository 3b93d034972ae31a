//! The store in memory: bounded, and of no use to those who rotate keys.

use std::time::{Duration, Instant};

use super::seconds;
use crate::stages::limits::rule::Gcra;
use crate::stages::limits::store::{Answer, Ask, Decision, Store};
use crate::stages::limits::table::Table;

const KEYS: usize = 1_000;

/// 5 per 10 s.
struct Five {
    table: Table<Gcra>,
    born: Instant,
}

impl Five {
    fn new(keys: usize) -> Five {
        let born = Instant::now();
        Five {
            table: Table::new(Gcra::new(5, seconds(10), 5), keys, born),
            born,
        }
    }

    fn takes(&self, key: u64, after: Duration) -> bool {
        let ask = Ask {
            cost: 1,
            patience: Duration::ZERO,
            now: self.born + after,
            unix_ms: 0,
        };
        match self.table.take(spread(key), ask) {
            Answer::Now(verdict) => matches!(verdict.decision, Decision::Taken(_)),
            Answer::Later(_) => panic!("memory answers at once"),
        }
    }

    fn spend(&self, key: u64, after: Duration) {
        while self.takes(key, after) {}
    }
}

/// As a hash would.
fn spread(key: u64) -> u64 {
    let mixed = (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

#[test]
fn each_key_has_a_count_of_its_own() {
    let five = Five::new(KEYS);
    for key in 0..20 {
        let taken = (0..9).filter(|_| five.takes(key, seconds(1))).count();
        assert_eq!(taken, 5, "key {key}");
    }
    assert_eq!(five.table.figures().keys, 20);
}

#[test]
fn rotating_keys_pushes_out_nobody_who_is_over_the_limit() {
    let five = Five::new(KEYS);
    let now = seconds(1);
    five.spend(0, now);
    for key in 1..200_000 {
        assert!(five.takes(key, now), "key {key} is new");
    }
    assert!(!five.takes(0, now), "still over its limit");
    let figures = five.table.figures();
    assert!(figures.keys <= KEYS as u64, "{figures:?}");
    assert!(figures.evictions > 190_000, "{figures:?}");
}

#[test]
fn where_all_are_over_the_limit_new_keys_share_one_count() {
    let five = Five::new(KEYS);
    let now = seconds(1);
    (0..KEYS as u64).for_each(|key| five.spend(key, now));
    let newcomers = 10_000..20_000;
    let taken = newcomers.filter(|key| five.takes(*key, now)).count();
    assert_eq!(taken, 5, "together as one");
    let reset = (0..KEYS as u64).filter(|key| five.takes(*key, now)).count();
    assert_eq!(reset, 0, "nobody was forgotten");
    let figures = five.table.figures();
    assert_eq!((figures.keys, figures.evictions), (KEYS as u64, 0));
    assert_eq!(figures.crowded, 10_000);
}

#[test]
fn keys_that_are_over_make_room_unasked() {
    let five = Five::new(KEYS);
    for round in 0..50_u64 {
        let keys = round * KEYS as u64..(round + 1) * KEYS as u64;
        keys.for_each(|key| five.spend(key, seconds(20 * round)));
    }
    let figures = five.table.figures();
    assert_eq!((figures.evictions, figures.crowded), (0, 0), "{figures:?}");
    assert!(figures.keys <= KEYS as u64, "{figures:?}");
}

#[test]
fn keys_are_bounded_over_many_locks() {
    let five = Five::new(10_000);
    for key in 0..300_000 {
        five.takes(key, seconds(1));
    }
    let figures = five.table.figures();
    assert!((9_000..=10_000).contains(&figures.keys), "{figures:?}");
}

#[test]
fn threads_take_no_more_than_there_is() {
    let five = Five::new(KEYS);
    let takes = || (0..2_000).filter(|n| five.takes(n % 3, seconds(1))).count();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(takes)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    assert_eq!(taken, 15, "5 for each of 3 keys");
}
