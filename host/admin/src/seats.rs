//! Who is connected to the admin listener: so many and no more. When all seats are taken, whoever has kept the gateway
//! waiting for longest gives up his, so that connections that say nothing, or read nothing, keep nobody out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;

use crate::answer::Body;

/// Connections at once.
const MOST: usize = 128;

#[derive(Default)]
pub(crate) struct Seats(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    count: usize,
    /// Counts up: who has a smaller one waits for longer.
    tickets: u64,
    /// Those that the gateway waits for: for a head, a body, or for somebody to read an answer.
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// The place of one connection.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    leave: Arc<Notify>,
    ticket: Mutex<Option<u64>>,
}

/// Now the gateway is at work, and the connection cannot be told to go.
pub(crate) struct AtWork(Arc<Seat>);

/// A body that is at work until it is at its end.
pub(crate) struct Worked {
    body: Body,
    _at_work: AtWork,
}

// === impl Seats ===

impl Seats {
    /// None: all are taken, and everybody is at work.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let leave = Arc::new(Notify::new());
        let mut taken = self.taken();
        if taken.count >= MOST {
            let (_, longest) = taken.waiting.pop_first()?;
            longest.notify_one();
        }
        taken.count += 1;
        let ticket = taken.wait(leave.clone());
        Some(Arc::new(Seat {
            seats: self.clone(),
            leave,
            ticket: Mutex::new(Some(ticket)),
        }))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn wait(&mut self, leave: Arc<Notify>) -> u64 {
        self.tickets += 1;
        self.waiting.insert(self.tickets, leave);
        self.tickets
    }
}

// === impl Seat ===

impl Seat {
    /// Returns when another needs the seat.
    pub(crate) async fn is_wanted(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn work(self: &Arc<Self>) -> AtWork {
        if let Some(ticket) = self.ticket().take() {
            self.seats.taken().waiting.remove(&ticket);
        }
        AtWork(self.clone())
    }

    fn ticket(&self) -> MutexGuard<'_, Option<u64>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let seat = &self.0;
        let mut taken = seat.seats.taken();
        let ticket = taken.wait(seat.leave.clone());
        if let Some(older) = seat.ticket().replace(ticket) {
            taken.waiting.remove(&older);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let ticket = self.ticket().take();
        let mut taken = self.seats.taken();
        taken.count -= 1;
        if let Some(ticket) = ticket {
            taken.waiting.remove(&ticket);
        }
    }
}

// === impl Worked ===

impl Worked {
    pub(crate) fn new(body: Body, at_work: AtWork) -> Worked {
        Worked {
            body,
            _at_work: at_work,
        }
    }
}

impl HttpBody for Worked {
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
    async fn who_waits_for_longest_gives_up_his_seat_and_who_works_does_not() {
        let seats = Arc::new(Seats::default());
        let mut sitting: Vec<_> = (0..MOST).map(|_| seats.take().expect("a seat")).collect();
        let at_work: Vec<_> = sitting[..2].iter().map(Seat::work).collect();
        let next = seats.take().expect("the third gives up his");
        sitting[2].is_wanted().await;
        drop(sitting.remove(2));
        assert_eq!(seats.taken().count, MOST);
        let all: Vec<_> = sitting[2..].iter().chain([&next]).map(Seat::work).collect();
        assert!(seats.take().is_none(), "everybody is at work");
        drop((at_work, all));
        assert_eq!(seats.taken().waiting.len(), MOST);
        drop((sitting, next));
        assert_eq!(seats.taken().count, 0);
        assert!(seats.taken().waiting.is_empty());
    }
}
