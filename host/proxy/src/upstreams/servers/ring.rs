//! Consistent hashing: a key stays on its server when others come and go.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Points of servers on a circle, in order.
#[derive(Debug, Default)]
pub(super) struct Ring(Vec<(u64, usize)>);

/// Points per unit of weight, and of one server at the most.
const POINTS: u32 = 100;
const MOST_POINTS: u32 = 10_000;

impl Ring {
    /// Of the addresses and weights of servers, in the order of their indexes.
    pub(super) fn of<'a>(servers: impl Iterator<Item = (&'a str, u32)>) -> Ring {
        let points = |(index, (address, weight)): (usize, (&'a str, u32))| {
            let points = weight.saturating_mul(POINTS).min(MOST_POINTS);
            (0..points).map(move |n| (hash(&(address, n)), index))
        };
        let mut ring: Vec<(u64, usize)> = servers.enumerate().flat_map(points).collect();
        ring.sort_unstable();
        Ring(ring)
    }

    /// The indexes of servers clockwise of a key; one comes up once for each of its points.
    pub(super) fn clockwise(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = self.0.partition_point(|(point, _)| *point < key);
        let (before, after) = self.0.split_at(start);
        after.iter().chain(before).map(|(_, index)| *index)
    }
}

/// The same for every instance of the gateway: `DefaultHasher::new` has fixed keys.
pub(crate) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
