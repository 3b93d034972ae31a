//! Requests for the same thing at the same time: one goes to the upstream, the others wait for what it brings.
//!
//! The table is locked for as long as it takes to look a key up in it, and only on a miss: a hit never comes here.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::fill::Fill;
use super::key::Key;
use super::stored::{Head, Stored};
use crate::ground::refusal::Reason;

/// What became of the request that the others wait for.
#[derive(Debug, Clone)]
pub(super) enum Landing {
    /// It is under way.
    No,
    Stored(Arc<Stored>),
    /// The head has come and may be shared; the body follows.
    Filling(Arc<Head>, Arc<Fill>),
    /// Not to be shared: everyone asks for himself, at once.
    Pass,
    Failed(Reason),
    /// Its client left: someone else has to go.
    Gone,
}

#[derive(Debug)]
pub(super) struct Flights {
    shards: [Mutex<Table>; SHARDS],
    hasher: RandomState,
}

type Table = HashMap<Arc<[u8]>, watch::Receiver<Landing>>;

const SHARDS: usize = 32;

pub(super) enum Boarding {
    Leads(Lead),
    Waits(Wait),
}

/// The duty to say how it went; dropped, it says that it went not at all.
#[derive(Debug)]
pub(super) struct Lead {
    flights: Arc<Flights>,
    key: Arc<[u8]>,
    landing: watch::Sender<Landing>,
}

pub(super) struct Wait(watch::Receiver<Landing>);

// === impl Flights ===

impl Flights {
    pub(super) fn new() -> Arc<Flights> {
        Arc::new(Flights {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        })
    }

    pub(super) fn board(self: &Arc<Self>, key: &Key) -> Boarding {
        let mut table = self.table(key.bytes());
        if let Some(landing) = table.get(key.bytes()) {
            return Boarding::Waits(Wait(landing.clone()));
        }
        let (landing, wait) = watch::channel(Landing::No);
        let key = key.shared();
        table.insert(key.clone(), wait);
        Boarding::Leads(Lead {
            flights: self.clone(),
            key,
            landing,
        })
    }

    fn table(&self, key: &[u8]) -> MutexGuard<'_, Table> {
        let shard = self.hasher.hash_one(key) % SHARDS as u64;
        let shard = usize::try_from(shard).expect("less than SHARDS");
        self.shards[shard].lock()
    }
}

// === impl Lead ===

impl Lead {
    /// Tells those who wait; who comes from now on is told the same until the lead ends.
    pub(super) fn tell(&self, landing: Landing) {
        self.landing.send_replace(landing);
    }

    /// The last word.
    pub(super) fn end(self, landing: Landing) {
        self.tell(landing);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // First out of the table, so that nobody finds a flight that has ended.
        drop(self.flights.table(&self.key).remove(&self.key));
        self.landing.send_if_modified(|landing| {
            let open = matches!(landing, Landing::No | Landing::Filling(..));
            if open {
                *landing = Landing::Gone;
            }
            open
        });
    }
}

// === impl Wait ===

impl Wait {
    /// For what is read from the disk, which takes no longer than it may.
    pub(super) async fn stored(mut self) -> Option<Arc<Stored>> {
        let ended = |landing: &Landing| !matches!(landing, Landing::No);
        match &*self.0.wait_for(ended).await.ok()? {
            Landing::Stored(stored) => Some(stored.clone()),
            _ => None,
        }
    }

    /// Waits for anything but `No`, and for the body too where `whole` is wanted or its length is not known.
    pub(super) async fn landing(&mut self, whole: bool, until: Instant) -> Landing {
        let enough = |landing: &Landing| match landing {
            Landing::No => false,
            Landing::Filling(head, _) => !whole && head.length().is_some(),
            _ => true,
        };
        let seen = tokio::time::timeout_at(until.into(), self.0.wait_for(enough)).await;
        match seen {
            Ok(Ok(landing)) => landing.clone(),
            Ok(Err(_)) => Landing::Gone,
            Err(_) => Landing::Failed(Reason::UpstreamTimeout),
        }
    }
}
