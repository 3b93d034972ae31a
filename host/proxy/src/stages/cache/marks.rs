//! When what was invalidated, by a clock that only invalidations move: whoever began to ask the upstream before that
//! may have been told the state before it, and what it brings is not used.
//!
//! A slot stands for many places; two that meet in one cost a needless question, never a stale answer. Fixed in size,
//! without a lock. With a disk tier the slots are written down as they change: what was invalid before a restart is so
//! after it.

use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use siphasher::sip::SipHasher13;

use super::disk::Job;
use super::key::Place;
use crate::ground::secret;

#[derive(Debug)]
pub(super) struct Marks {
    clock: AtomicU64,
    slots: Box<[AtomicU64]>,
    /// The last purge that looked through the whole store.
    swept: AtomicU64,
    secret: (u64, u64),
    scribe: Option<Scribe>,
}

pub(super) const SLOTS: usize = 1 << 16;

/// What is known of invalidations before the start.
#[derive(Debug)]
pub(super) struct Known {
    /// Later than every epoch of before.
    pub(super) clock: u64,
    pub(super) slots: Vec<u64>,
    pub(super) secret: (u64, u64),
}

/// Who is told which slots are to be written down, each once until it is.
#[derive(Debug)]
struct Scribe {
    told: Box<[AtomicBool]>,
    jobs: Sender<Job>,
}

impl Marks {
    /// In memory only.
    pub(super) fn new() -> Marks {
        let known = Known {
            clock: 0,
            slots: vec![0; SLOTS],
            secret: secret::hash_key(),
        };
        Marks {
            scribe: None,
            ..Marks::known(known)
        }
    }

    /// Written down by whoever receives the jobs.
    pub(super) fn written(known: Known, jobs: Sender<Job>) -> Marks {
        let told = (0..SLOTS).map(|_| AtomicBool::new(false)).collect();
        Marks {
            scribe: Some(Scribe { told, jobs }),
            ..Marks::known(known)
        }
    }

    fn known(known: Known) -> Marks {
        Marks {
            clock: AtomicU64::new(known.clock),
            slots: known.slots.into_iter().map(AtomicU64::new).collect(),
            swept: AtomicU64::new(0),
            secret: known.secret,
            scribe: None,
        }
    }

    /// For who begins to ask the upstream now.
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Of our own making, because it has to be the same after a restart.
    fn slot(&self, place: &Place) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(place.host.as_bytes());
        // In no host.
        hasher.write_u8(0);
        hasher.write(place.target.as_bytes());
        usize::try_from(hasher.finish() % SLOTS as u64).expect("less than SLOTS")
    }

    pub(super) fn mark(&self, place: &Place) {
        let slot = self.slot(place);
        self.slots[slot].fetch_max(self.tick(), Ordering::SeqCst);
        if let Some(scribe) = &self.scribe
            && !scribe.told[slot].swap(true, Ordering::SeqCst)
        {
            // Nobody writes any more only where the gateway ends.
            let _ = scribe.jobs.send(Job::Mark(slot));
        }
    }

    /// A slot for who writes it down; what changes from here on is told anew.
    pub(super) fn to_write(&self, slot: usize) -> u64 {
        if let Some(scribe) = &self.scribe {
            scribe.told[slot].store(false, Ordering::SeqCst);
        }
        self.slots[slot].load(Ordering::SeqCst)
    }

    pub(super) fn sweep(&self) {
        self.swept.fetch_max(self.tick(), Ordering::SeqCst);
    }

    pub(super) fn outdates(&self, place: &Place, epoch: u64) -> bool {
        self.slots[self.slot(place)].load(Ordering::SeqCst) > epoch
    }

    pub(super) fn swept_since(&self, epoch: u64) -> bool {
        self.swept.load(Ordering::SeqCst) > epoch
    }
}
