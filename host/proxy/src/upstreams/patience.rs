//! How long the head of a response is waited for.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::ground::alarm::LazyAlarm;
use crate::observe::watch::Watch;

/// The wait for one response. A request body that is still coming is the client's time, which its own connection bounds:
/// the wait begins again with each progress of it.
pub(crate) struct Patience<'a> {
    /// When it is over in any case.
    end: Instant,
    /// From the last progress on; None: until the end.
    first_byte: Option<Duration>,
    watch: &'a Watch,
    seen: u64,
    due: Instant,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(
        now: Instant,
        end: Instant,
        first_byte: Option<Duration>,
        watch: &'a Watch,
    ) -> Patience<'a> {
        let mut patience = Patience {
            end,
            first_byte,
            watch,
            seen: watch.bytes(),
            due: end,
        };
        patience.wait_from(now);
        patience
    }

    fn wait_from(&mut self, now: Instant) {
        let due = self.first_byte.map(|time| now + time);
        self.due = due.map_or(self.end, |due| due.min(self.end));
    }

    /// Begins the wait.
    pub(crate) fn begin(&self, alarm: &mut LazyAlarm) {
        alarm.set(self.due);
    }

    /// Ready once it is over.
    pub(crate) fn poll(&mut self, alarm: &mut LazyAlarm, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(alarm.poll(cx));
            let now = Instant::now();
            let coming = self.watch.bytes() != self.seen || !self.watch.has_ended();
            if !coming || now >= self.end {
                return Poll::Ready(());
            }
            self.seen = self.watch.bytes();
            self.wait_from(now);
            alarm.set(self.due);
        }
    }
}
