//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer that is looked at far more often than it goes off.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes, as it was last armed.
    waker: Option<Waker>,
}

// === impl Alarm ===

impl Alarm {
    pub(crate) fn at(time: Instant) -> Alarm {
        Alarm {
            sleep: Box::pin(tokio::time::sleep_until(time.into())),
            waker: None,
        }
    }

    pub(crate) fn set(&mut self, time: Instant) {
        self.waker = None;
        self.sleep.as_mut().reset(time.into());
    }

    /// Not later than this.
    pub(crate) fn bring_forward(&mut self, time: Instant) {
        if self.sleep.deadline() > time.into() {
            self.set(time);
        }
    }

    /// Ready from its time on. To ask an armed timer again costs more than to see that it did not go off.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.waker.as_ref();
        if waker.is_some_and(|waker| waker.will_wake(cx.waker())) && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        ready!(self.sleep.as_mut().poll(cx));
        self.waker = None;
        Poll::Ready(())
    }
}

/// An alarm that is due again and again: to move its end later costs a store.
#[derive(Debug)]
pub(crate) struct LazyAlarm {
    due: Instant,
    alarm: Alarm,
}

// === impl LazyAlarm ===

impl LazyAlarm {
    /// Within a Tokio runtime.
    pub(crate) fn at(due: Instant) -> LazyAlarm {
        LazyAlarm {
            due,
            alarm: Alarm::at(due),
        }
    }

    /// Is due at another time.
    pub(crate) fn set(&mut self, due: Instant) {
        self.due = due;
        self.alarm.bring_forward(due);
    }

    /// Ready once it is due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.poll(cx));
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.set(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    /// One that did not wake would leave this test hanging.
    #[tokio::test]
    async fn it_wakes_who_asked_last_however_often_it_is_set() {
        const LATER: Duration = Duration::from_secs(3600);
        const SOON: Duration = Duration::from_millis(2);
        let mut alarm = Alarm::at(Instant::now() + LATER);
        for _ in 0..3 {
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(alarm.poll(&mut nobody).is_pending());
            assert!(alarm.poll(&mut nobody).is_pending());
            alarm.bring_forward(Instant::now() + SOON);
            alarm.bring_forward(Instant::now() + LATER);
            poll_fn(|cx| alarm.poll(cx)).await;
            // It has gone off, and stays so until it is set.
            poll_fn(|cx| alarm.poll(cx)).await;
            alarm.set(Instant::now() + LATER);
        }
    }

    #[tokio::test]
    async fn a_lazy_one_never_goes_off_before_it_is_due_and_an_earlier_end_counts_at_once() {
        let mut lazy = LazyAlarm::at(Instant::now() + Duration::from_secs(3600));
        for millis in [30, 10, 60] {
            let due = Instant::now() + Duration::from_millis(millis);
            lazy.set(due);
            poll_fn(|cx| lazy.poll(cx)).await;
            assert!(due <= Instant::now());
        }
    }

    #[tokio::test]
    async fn a_later_end_is_waited_for() {
        let mut lazy = LazyAlarm::at(Instant::now() + Duration::from_millis(5));
        let due = Instant::now() + Duration::from_millis(40);
        lazy.set(due);
        poll_fn(|cx| lazy.poll(cx)).await;
        assert!(due <= Instant::now());
    }
}
