//! From the disk into memory: one request reads the file, those that want the same wait for it.

use std::sync::Arc;

use portcullis_exchange::Exchange;

use super::Variants;
use super::disk::Disk;
use super::flight::{Boarding, Landing};
use super::stored::Stored;
use super::way::{Look, Seek};
use crate::observe::journal::Journal;

impl Seek {
    /// Looks on the disk for what is not in memory. `known`: what is stored of other variants.
    pub(super) async fn recall(
        &mut self,
        known: Option<Arc<Variants>>,
        x: &Exchange,
        journal: &mut Journal,
    ) -> Look {
        let cache = self.cache.clone();
        let Some(disk) = cache.disk.on().filter(|_| self.wants_recall()) else {
            return Look::Ask(known);
        };
        match self.read(disk, x).await {
            Some(stored) => {
                self.from_disk = true;
                self.judge((Some(stored), known), x, journal)
            }
            None => Look::Ask(known),
        }
    }

    fn wants_recall(&self) -> bool {
        self.stale.is_none() && !self.wish.no_store
    }

    async fn read(&self, disk: &Arc<Disk>, x: &Exchange) -> Option<Arc<Stored>> {
        let since = self.cache.marks.now();
        let slot = disk.find(&self.key, &x.request, &self.cache.marks)?;
        match disk.board(&self.key.with(Some(&slot.vary), &x.request)) {
            Boarding::Leads(lead) => {
                let counters = self.store.counters.clone();
                let read = disk.read(&self.key, slot, counters).await;
                match &read {
                    Some(stored) => {
                        self.cache.take_back(&self.key, stored, since);
                        lead.end(Landing::Stored(stored.clone()));
                    }
                    None => lead.end(Landing::Pass),
                }
                read
            }
            Boarding::Waits(wait) => wait.stored().await,
        }
    }
}
