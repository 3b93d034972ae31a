//! Who is under way: a count per key that goes down when a request has ended, to its last byte. Bounded by the requests
//! themselves: a key without one is not remembered.

use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};
use portcullis_config::plan::PerPlan;
use portcullis_exchange::Exchange;

use super::key::Secret;

/// Locks; each is held for one look-up.
const SHARDS: usize = 64;

#[derive(Debug)]
pub struct Crowd {
    pub(super) per: PerPlan,
    secret: Secret,
    shards: [Mutex<Shard>; SHARDS],
}

/// Key and requests under way.
type Shard = HashTable<(u64, u32)>;

/// One request under way.
#[derive(Debug)]
pub struct Slot {
    crowd: Arc<Crowd>,
    key: u64,
}

impl Crowd {
    pub fn new(per: &PerPlan) -> Crowd {
        Crowd {
            per: per.clone(),
            secret: Secret::random(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Counts a request in; how many there are of its key with it.
    pub fn enter(self: &Arc<Self>, x: &Exchange) -> (Slot, u32) {
        let key = self.secret.key(&self.per, x);
        let mut shard = self.shard(key);
        let taken = match shard.find_mut(key, |entry| entry.0 == key) {
            Some((_, taken)) => {
                *taken += 1;
                *taken
            }
            None => {
                shard.insert_unique(key, (key, 1), |entry| entry.0);
                1
            }
        };
        let crowd = self.clone();
        (Slot { crowd, key }, taken)
    }

    /// Requests under way, over all keys.
    pub fn size(&self) -> u64 {
        let sum = |shard: &Mutex<Shard>| -> u64 {
            let shard = shard.lock();
            shard.iter().map(|entry| u64::from(entry.1)).sum()
        };
        self.shards.iter().map(sum).sum()
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Shard> {
        // hashbrown takes its bits from both ends of the hash; these are from the middle.
        let index = usize::try_from((key >> 32) % SHARDS as u64).expect("less than the shards");
        self.shards[index].lock()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shard = self.crowd.shard(self.key);
        if let Ok(mut entry) = shard.find_entry(self.key, |entry| entry.0 == self.key) {
            let taken = &mut entry.get_mut().1;
            *taken -= 1;
            if *taken == 0 {
                entry.remove();
            }
        }
    }
}
