//! The one thread that writes: files, the ledger of marks, the index. Requests send it jobs and never wait for it.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::index::{Hash, Slot, hash};
use super::ledger::Ledger;
use super::metrics::{Read, Write};
use super::record::{self, Flaw, Label};
use super::{Disk, Health};
use crate::ground::registry::clamped;
use crate::stages::cache::key::Key;
use crate::stages::cache::marks::Marks;
use crate::stages::cache::purge::Purge;
use crate::stages::cache::stored::Stored;

#[derive(Debug)]
pub(in crate::stages::cache) enum Job {
    Write(Key, Arc<Stored>),
    /// What is on the disk of a key is older than what is known now.
    Forget(Hash),
    /// One file is no good.
    Drop(Hash, u64),
    /// A slot of the marks has changed.
    Mark(usize),
    Purge(Purge, Sender<Purged>),
    End(Sender<()>),
}

/// What a purge came to.
#[derive(Debug, Default)]
pub(in crate::stages::cache) struct Purged {
    pub(in crate::stages::cache) keys: HashSet<Hash>,
    /// Files that are out of the index, but could not be taken away: a restart would find them.
    pub(in crate::stages::cache) stuck: Option<io::Error>,
}

pub(super) struct Keeper {
    pub(super) disk: Arc<Disk>,
    pub(super) marks: Arc<Marks>,
    pub(super) ledger: Ledger,
    pub(super) jobs: Receiver<Job>,
    pub(super) evicted: Receiver<Vec<Arc<Slot>>>,
    /// Of the next file.
    pub(super) number: u64,
    /// Marks that could not be written down yet.
    pub(super) owed: BTreeSet<usize>,
    /// The disk fails: when to try again.
    pub(super) pause: Option<Instant>,
}

/// How long a disk that fails is left alone.
const PAUSE: Duration = Duration::from_secs(5);

impl Keeper {
    /// Until it is told to end. `trusted`: what was found may be used.
    pub(super) fn run(mut self, trusted: bool) {
        let mut later = VecDeque::new();
        match self.scan(trusted, &mut later) {
            Ok(true) => self.disk.is(Health::Up),
            Ok(false) => return,
            Err(error) => {
                self.fails("look through all files", &error);
                if !trusted {
                    // What is left of them is not to be trusted at the next start either.
                    self.ledger.void();
                }
            }
        }
        loop {
            let job = match later.pop_front() {
                Some(job) => job,
                None => match self.jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            if !self.does(job) {
                return;
            }
        }
    }

    /// Fills the index from the files, oldest first. Marks are written down meanwhile, other jobs wait. False: it is
    /// told to end.
    fn scan(&mut self, trusted: bool, later: &mut VecDeque<Job>) -> io::Result<bool> {
        for number in self.disk.folder.numbers()? {
            while let Ok(job) = self.jobs.try_recv() {
                match job {
                    Job::Mark(slot) => self.mark(slot),
                    Job::End(_) => return Ok(false),
                    job => later.push_back(job),
                }
            }
            match trusted.then(|| self.label(number)) {
                Some(Ok((key, slot))) if !self.marks.outdates(&slot.place, slot.epoch) => {
                    self.takes(&key, slot);
                }
                Some(Err(Flaw::Io(error))) => {
                    tracing::warn!("a file of the disk tier cannot be read: {error}");
                }
                Some(Err(Flaw::Corrupt)) => {
                    self.disk
                        .complain(Read::Corrupt, "its checksum does not fit");
                    self.disk.metrics.read(Read::Corrupt).inc();
                    self.disk.folder.remove(number)?;
                }
                // Of no use any more.
                _ => drop(self.disk.folder.remove(number)?),
            }
        }
        Ok(true)
    }

    fn label(&self, number: u64) -> Result<(Key, Slot), Flaw> {
        Label::read(&mut self.disk.folder.read(number)?)?.slot(number)
    }

    /// False: it was the last one.
    fn does(&mut self, job: Job) -> bool {
        match job {
            Job::Write(key, stored) => {
                self.write(&key, &stored);
                let bytes = stored.weight();
                self.disk.waiting.fetch_sub(bytes, Ordering::Relaxed);
            }
            Job::Forget(hash) => drop(self.forget(&hash)),
            Job::Drop(hash, number) => {
                let slots = self.disk.index.remove_one(&hash, number);
                self.discard(&slots);
            }
            Job::Mark(slot) => self.mark(slot),
            Job::Purge(purge, answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.purge(&purge));
            }
            Job::End(answer) => {
                let _ = answer.send(());
                return false;
            }
        }
        true
    }

    fn write(&mut self, key: &Key, stored: &Stored) {
        let head = &stored.head;
        if self.marks.outdates(&head.place, head.epoch) || self.marks.swept_since(head.epoch) {
            return;
        }
        let writes = |outcome| self.disk.metrics.write(outcome).inc();
        if self.pause.is_some_and(|until| Instant::now() < until) {
            writes(Write::Dropped);
        } else if let Some(front) = record::front(key, stored) {
            let number = self.number;
            self.number += 1;
            match self.disk.folder.write(number, [&front, &stored.body]) {
                Ok(()) => {
                    writes(Write::Done);
                    self.takes(key, Slot::of(number, front.len(), stored));
                    return self.works();
                }
                Err(error) => {
                    writes(Write::Failed);
                    self.fails("write", &error);
                }
            }
        } else {
            writes(Write::Dropped);
        }
        // What is there of this key is older.
        self.forget(&hash(key));
    }

    /// Takes away all that is there of a key. The first failure, if there is one.
    fn forget(&mut self, hash: &Hash) -> Option<io::Error> {
        let slots = self.disk.index.remove(hash);
        self.discard(&slots)
    }

    /// Takes a file into the index, and away what has to go for it.
    fn takes(&mut self, key: &Key, slot: Slot) {
        self.disk.metrics.entries.inc();
        self.disk.metrics.bytes.add(clamped(slot.on_disk()));
        let gone = self.disk.index.shelve(hash(key), slot);
        self.discard(&gone);
        while let Ok(slots) = self.evicted.try_recv() {
            self.disk.metrics.evicted.inc_by(slots.len() as u64);
            self.discard(&slots);
        }
    }

    /// The first failure, if there is one.
    fn discard(&mut self, slots: &[Arc<Slot>]) -> Option<io::Error> {
        let mut stuck = None;
        for slot in slots {
            self.disk.metrics.entries.dec();
            self.disk.metrics.bytes.sub(clamped(slot.on_disk()));
            if let Err(error) = self.disk.folder.remove(slot.number) {
                self.fails("take a file away", &error);
                stuck = stuck.or(Some(error));
            }
        }
        stuck
    }

    fn mark(&mut self, slot: usize) {
        self.owed.insert(slot);
        while let Some(slot) = self.owed.pop_first() {
            if let Err(error) = self.ledger.write(slot, self.marks.to_write(slot)) {
                self.owed.insert(slot);
                return self.fails("write down what became invalid", &error);
            }
        }
    }

    fn purge(&mut self, purge: &Purge) -> Purged {
        let covers = |slot: &Slot| purge.covers(&slot.place, &slot.tags);
        let keys = self.disk.index.covered(covers);
        let mut purged = Purged::default();
        for key in keys {
            let stuck = self.forget(&key);
            purged.stuck = purged.stuck.or(stuck);
            purged.keys.insert(key);
        }
        purged
    }

    fn fails(&mut self, what: &str, error: &io::Error) {
        let root = self.disk.folder.root().display();
        let why = format!("cannot {what} in {root}: {error}");
        if self.pause.is_none() {
            tracing::error!("the cache is in memory only, until its disk tier works again: {why}");
        }
        self.pause = Some(Instant::now() + PAUSE);
        self.disk.is(Health::Failing(why));
    }

    fn works(&mut self) {
        if self.pause.take().is_some() {
            tracing::info!("the disk tier of the cache works again");
            self.disk.is(Health::Up);
        }
    }
}
