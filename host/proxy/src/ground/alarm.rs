//! A timer that many waits share: moving its end later costs a store, and nothing is armed before somebody waits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer that is set again and again. It wakes at most once too early for each time that it was armed.
#[derive(Debug)]
pub(crate) struct Alarm {
    due: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    /// Within a Tokio runtime.
    pub(crate) fn at(due: Instant) -> Alarm {
        Alarm {
            due,
            sleep: Box::pin(tokio::time::sleep_until(due.into())),
        }
    }

    /// Is due at another time.
    pub(crate) fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.sleep.deadline().into_std() {
            self.sleep.as_mut().reset(due.into());
        }
    }

    /// Ready once it is due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn rings(alarm: &mut Alarm) {
        std::future::poll_fn(|cx| alarm.poll(cx)).await;
    }

    #[tokio::test]
    async fn it_never_rings_before_it_is_due_and_an_earlier_end_counts_at_once() {
        let mut alarm = Alarm::at(Instant::now() + Duration::from_secs(3600));
        for millis in [30, 10, 60] {
            let due = Instant::now() + Duration::from_millis(millis);
            alarm.set(due);
            rings(&mut alarm).await;
            assert!(due <= Instant::now());
        }
    }

    #[tokio::test]
    async fn a_later_end_is_waited_for() {
        let mut alarm = Alarm::at(Instant::now() + Duration::from_millis(5));
        let due = Instant::now() + Duration::from_millis(40);
        alarm.set(due);
        rings(&mut alarm).await;
        assert!(due <= Instant::now());
    }
}
