//! A slot for each connection of the admin listener, and a limit of them. When all are taken, the connection that has
//! kept the gateway waiting for longest loses its slot, so that connections that send nothing, or read nothing, keep
//! nobody out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::answer::Body;

/// Connections at once.
const MOST: usize = 128;

#[derive(Default)]
pub(crate) struct Slots(Mutex<Occupied>);

#[derive(Default)]
struct Occupied {
    count: usize,
    /// Counts up: the smallest one has waited for longest.
    tickets: u64,
    /// Connections that the gateway waits for: for a head, for a body, or for the client to read an answer.
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// The place of one connection.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    leave: Arc<Notify>,
    ticket: Mutex<Option<u64>>,
}

/// While it exists, the gateway works for the connection, which keeps its slot.
pub(crate) struct Working(Arc<Slot>);

/// A body that keeps the slot of its connection until its end.
pub(crate) struct WorkingBody {
    body: Body,
    _working: Working,
}

// === impl Slots ===

impl Slots {
    /// None: all are taken, and the gateway works for each.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Arc<Slot>> {
        let leave = Arc::new(Notify::new());
        let mut taken = self.taken();
        if taken.count >= MOST {
            let (_, longest) = taken.waiting.pop_first()?;
            longest.notify_one();
        }
        taken.count += 1;
        let ticket = taken.wait(leave.clone());
        Some(Arc::new(Slot {
            slots: self.clone(),
            leave,
            ticket: Mutex::new(Some(ticket)),
        }))
    }

    fn taken(&self) -> MutexGuard<'_, Occupied> {
        self.0.lock()
    }
}

impl Occupied {
    fn wait(&mut self, leave: Arc<Notify>) -> u64 {
        self.tickets += 1;
        self.waiting.insert(self.tickets, leave);
        self.tickets
    }
}

// === impl Slot ===

impl Slot {
    /// Returns when another connection needs the slot.
    pub(crate) async fn is_wanted(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn work(self: &Arc<Self>) -> Working {
        if let Some(ticket) = self.ticket().take() {
            self.slots.taken().waiting.remove(&ticket);
        }
        Working(self.clone())
    }

    fn ticket(&self) -> MutexGuard<'_, Option<u64>> {
        self.ticket.lock()
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let slot = &self.0;
        let mut taken = slot.slots.taken();
        let ticket = taken.wait(slot.leave.clone());
        if let Some(older) = slot.ticket().replace(ticket) {
            taken.waiting.remove(&older);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let ticket = self.ticket().take();
        let mut taken = self.slots.taken();
        taken.count -= 1;
        if let Some(ticket) = ticket {
            taken.waiting.remove(&ticket);
        }
    }
}

// === impl WorkingBody ===

impl WorkingBody {
    pub(crate) fn new(body: Body, working: Working) -> WorkingBody {
        WorkingBody {
            body,
            _working: working,
        }
    }
}

impl HttpBody for WorkingBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connection_that_waits_for_longest_loses_its_slot_and_one_that_is_served_keeps_it()
    {
        let slots = Arc::new(Slots::default());
        let mut held: Vec<_> = (0..MOST).map(|_| slots.take().expect("a slot")).collect();
        let working: Vec<_> = held[..2].iter().map(Slot::work).collect();
        let next = slots.take().expect("the third gives up his");
        held[2].is_wanted().await;
        drop(held.remove(2));
        assert_eq!(slots.taken().count, MOST);
        let all: Vec<_> = held[2..].iter().chain([&next]).map(Slot::work).collect();
        assert!(slots.take().is_none(), "everybody is at work");
        drop((working, all));
        assert_eq!(slots.taken().waiting.len(), MOST);
        drop((held, next));
        assert_eq!(slots.taken().count, 0);
        assert!(slots.taken().waiting.is_empty());
    }
}
