//! What is on the disk, known without asking it: per key the variants, where each belongs, and in which file it is.
//!
//! Bounds the bytes on the disk, and its own in memory: what was not asked for the longest makes room. Requests read
//! it; only the keeper changes it.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use http::HeaderMap;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;
use sha2::{Digest, Sha256};

use crate::stages::cache::MOST_VARIANTS;
use crate::stages::cache::key::{Key, Place, Vary};
use crate::stages::cache::stored::Stored;

/// Of a key. Files hold the key itself, which is compared.
pub(in crate::stages::cache) type Hash = [u8; 16];

/// One file.
#[derive(Debug)]
pub(in crate::stages::cache) struct Slot {
    pub(super) number: u64,
    /// Of the file.
    pub(super) bytes: u64,
    pub(in crate::stages::cache) vary: Vary,
    pub(super) place: Place,
    pub(super) tags: Box<[Box<str>]>,
    pub(super) epoch: u64,
}

/// The variants of one key, oldest first.
#[derive(Debug)]
pub(super) struct Shelf {
    all: Vec<Arc<Slot>>,
    weight: u64,
}

#[derive(Debug)]
pub(super) struct Index {
    shelves: Moka<Hash, Arc<Shelf>>,
    bounds: Bounds,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// On the disk.
    bytes: u64,
    /// What a byte of the index weighs: so much that the index is full when the disk would be.
    ratio: u64,
}

/// What a file system gives at once.
const BLOCK: u64 = 4096;

pub(in crate::stages::cache) fn hash(key: &Key) -> Hash {
    let whole = Sha256::digest(key.bytes());
    whole[..16].try_into().expect("SHA-256 has 32 bytes")
}

impl Slot {
    /// Of a file whose body begins after `front` bytes.
    pub(super) fn of(number: u64, front: usize, stored: &Stored) -> Slot {
        let head = &stored.head;
        Slot {
            number,
            bytes: (front + stored.body.len()) as u64,
            vary: head.vary.clone(),
            place: (*head.place).clone(),
            tags: head.tags.clone(),
            epoch: head.epoch,
        }
    }

    /// Bytes that the file takes on the disk.
    pub(super) fn on_disk(&self) -> u64 {
        self.bytes.next_multiple_of(BLOCK)
    }

    /// Bytes that it takes in the index, about.
    fn in_memory(&self) -> u64 {
        const FIXED: usize = 256;
        let tags: usize = self.tags.iter().map(|tag| tag.len() + 16).sum();
        let place = self.place.host.len() + self.place.target.len();
        (FIXED + tags + place + self.vary.weight()) as u64
    }
}

impl Bounds {
    fn weigh(self, slot: &Slot) -> u64 {
        slot.on_disk().max(slot.in_memory() * self.ratio)
    }
}

impl Shelf {
    /// With `slot` in its place, and which have to go for it. The newest Vary decides, as in memory.
    fn with(before: Option<&Shelf>, slot: &Arc<Slot>, bounds: Bounds) -> (Shelf, Vec<Arc<Slot>>) {
        let before = before.map(|shelf| shelf.all.as_slice());
        let mut all: Vec<Arc<Slot>> = before.unwrap_or_default().to_vec();
        all.push(slot.clone());
        all.sort_by_key(|slot| slot.number);
        let (mut kept, mut gone) = (Vec::<Arc<Slot>>::new(), Vec::new());
        let mut weight = 0;
        for slot in all.into_iter().rev() {
            let own = bounds.weigh(&slot);
            let suits =
                |newer: &Arc<Slot>| newer.vary.same_names(&slot.vary) && newer.vary != slot.vary;
            // No key may push out everything else.
            let fits = kept.is_empty() || weight + own <= bounds.bytes / 4;
            if kept.len() < MOST_VARIANTS && fits && kept.iter().all(suits) {
                weight += own;
                kept.push(slot);
            } else {
                gone.push(slot);
            }
        }
        kept.reverse();
        (Shelf { all: kept, weight }, gone)
    }
}

impl Index {
    /// `evicted` is told of what made room.
    pub(super) fn new(bytes: u64, memory: u64, evicted: Sender<Vec<Arc<Slot>>>) -> Index {
        let weigh = |_: &Hash, shelf: &Arc<Shelf>| u32::try_from(shelf.weight).unwrap_or(u32::MAX);
        let left = move |_: Arc<Hash>, shelf: Arc<Shelf>, cause| {
            if cause == RemovalCause::Size {
                // Nobody takes files away any more only where the gateway ends.
                let _ = evicted.send(shelf.all.clone());
            }
        };
        Index {
            shelves: Moka::builder()
                .max_capacity(bytes)
                .weigher(weigh)
                .eviction_policy(EvictionPolicy::lru())
                .eviction_listener(left)
                .build(),
            bounds: Bounds {
                bytes,
                ratio: bytes / memory.max(1),
            },
        }
    }

    pub(super) fn find(&self, hash: &Hash, request: &HeaderMap) -> Option<Arc<Slot>> {
        let shelf = self.shelves.get(hash)?;
        let fits = |slot: &&Arc<Slot>| slot.vary.matches(request);
        shelf.all.iter().rev().find(fits).cloned()
    }

    /// Takes a file in; which have to go for it, maybe itself.
    pub(super) fn shelve(&self, hash: Hash, slot: Slot) -> Vec<Arc<Slot>> {
        let slot = Arc::new(slot);
        let mut gone = Vec::new();
        self.shelves.entry(hash).and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value);
            let (shelf, left) = Shelf::with(before.as_deref(), &slot, self.bounds);
            gone = left;
            Arc::new(shelf)
        });
        self.settle();
        gone
    }

    /// Makes room now, not some time later.
    fn settle(&self) {
        const TRIES: usize = 64;
        for _ in 0..TRIES {
            self.shelves.run_pending_tasks();
            if self.shelves.weighted_size() <= self.bounds.bytes {
                return;
            }
        }
    }

    pub(super) fn remove(&self, hash: &Hash) -> Vec<Arc<Slot>> {
        let shelf = self.shelves.remove(hash);
        shelf.map(|shelf| shelf.all.clone()).unwrap_or_default()
    }

    /// One file of a key, if it is there still.
    pub(super) fn remove_one(&self, hash: &Hash, number: u64) -> Vec<Arc<Slot>> {
        let all = self.remove(hash);
        let (gone, stay): (Vec<_>, Vec<_>) = all.into_iter().partition(|s| s.number == number);
        if !stay.is_empty() {
            let weight = stay.iter().map(|slot| self.bounds.weigh(slot)).sum();
            let shelf = Shelf { all: stay, weight };
            self.shelves.insert(*hash, Arc::new(shelf));
        }
        gone
    }

    /// Every key with a variant that is covered, and all its files.
    pub(super) fn covered(&self, covers: impl Fn(&Slot) -> bool) -> Vec<Hash> {
        let any = |shelf: &Shelf| shelf.all.iter().any(|slot| covers(slot));
        let found = self.shelves.iter().filter(|(_, shelf)| any(shelf));
        found.map(|(hash, _)| *hash).collect()
    }
}
