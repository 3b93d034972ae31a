//! How long an HTTP/1 connection may be silent, and when it rests.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use portcullis_config::plan::Timeouts;

use super::{End, Guarded, Io, Rest};

/// What has been waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Body,
    Idle,
}

/// After so long without a request, a connection gives back what hyper keeps for it. A client that sends one request
/// after the other does not pay for this.
const WAKEFUL: Duration = Duration::from_secs(1);
/// How often a connection that does not rest yet is looked at.
const LOOK: Duration = Duration::from_secs(5);

impl<S: Io> Guarded<S> {
    /// Ready when this connection has been silent for too long. Re-arms itself lazily: activity only moves a
    /// timestamp.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Overdue> {
        loop {
            ready!(self.alarm.poll(cx));
            let now = Instant::now();
            let (overdue, deadline) = self.deadline(now);
            if deadline <= now {
                return Poll::Ready(overdue);
            }
            let look = self.look(now).unwrap_or(deadline);
            self.alarm.set(deadline.min(look));
        }
    }

    fn deadline(&self, now: Instant) -> (Overdue, Instant) {
        let Timeouts {
            head,
            idle,
            keep_alive,
            ..
        } = self.timeouts;
        if self.client.raw.load(Ordering::Relaxed) {
            // A tunnel has its own clock.
            return (Overdue::Idle, now + idle);
        }
        if let Some(began) = self.head_began {
            return (Overdue::Head, began + head);
        }
        if !self.framing.is_idle() {
            return (Overdue::Body, self.last() + idle);
        }
        if self.client.is_idle() {
            return (Overdue::Idle, self.last() + keep_alive);
        }
        (Overdue::Idle, now + idle.min(keep_alive))
    }

    fn last(&self) -> Instant {
        self.last_read.max(self.writes.last)
    }

    /// When to look whether this connection rests; None where that is known, and in a tunnel.
    fn look(&self, now: Instant) -> Option<Instant> {
        if self.parked
            || self.client.rest() == Rest::Long
            || self.client.raw.load(Ordering::Relaxed)
        {
            return None;
        }
        let wakeful = self.last() + WAKEFUL;
        if wakeful <= now && self.rests() {
            self.client.set_rest(Rest::Long);
            return None;
        }
        Some(if wakeful > now { wakeful } else { now + LOOK })
    }

    /// Hyper has asked for more, and there is none: whether it is the next request that is missing.
    pub(super) fn note_rest(&self) {
        if self.client.rest() == Rest::No && self.rests() {
            self.client.set_rest(Rest::Waits);
        }
    }

    /// Asked when hyper wants to read. All that came was whole messages, and each was answered; so hyper, which reads
    /// on only when it has used up what it read, holds no byte of the client, and none for it.
    fn rests(&self) -> bool {
        self.end == End::No
            && self.framing.is_idle()
            && self.client.is_idle()
            && self.framing.messages() == self.client.begun.load(Ordering::Relaxed)
            && !self.writes.unflushed
            && !self.client.raw.load(Ordering::Relaxed)
    }

    /// Hyper is there again.
    pub(super) fn wake(&mut self) {
        self.parked = false;
        self.client.set_rest(Rest::No);
        self.alarm.bring_forward(Instant::now() + WAKEFUL);
    }
}
