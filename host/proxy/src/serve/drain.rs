//! The wish to drain, as a connection looks at it on each of its wakes.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

/// Whether the gateway drains.
pub(super) struct DrainSignal<'a> {
    news: watch::Receiver<bool>,
    /// Waits for the same news.
    wait: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    /// Whom `wait` wakes.
    waker: Option<Waker>,
    done: bool,
}

/// For [`DrainSignal`] to wait with. An error is a gateway that is gone.
pub(super) async fn wait(mut draining: watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

// === impl DrainSignal ===

impl<'a> DrainSignal<'a> {
    pub(super) fn new(
        draining: &watch::Receiver<bool>,
        wait: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    ) -> DrainSignal<'a> {
        DrainSignal {
            news: draining.clone(),
            wait,
            waker: None,
            done: false,
        }
    }

    /// What waits for the channel takes a lock of all connections. So it is asked again only where there is news, or
    /// where another waker is to be woken.
    pub(super) fn has_begun(&mut self, cx: &mut Context<'_>) -> bool {
        if self.done {
            return true;
        }
        let known = self.waker.as_ref();
        if known.is_some_and(|waker| waker.will_wake(cx.waker()))
            && !self.news.has_changed().unwrap_or(true)
        {
            return false;
        }
        self.waker = Some(cx.waker().clone());
        self.done = self.wait.as_mut().poll(cx) == Poll::Ready(());
        self.done
    }
}
