//! The beginning of the end: first not ready, then no new connections.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Whether the gateway is to end, and since when nothing more is accepted.
#[derive(Debug)]
pub(crate) struct Drain(watch::Sender<Option<Instant>>);

impl Default for Drain {
    fn default() -> Self {
        Drain(watch::Sender::new(None))
    }
}

impl Drain {
    /// Begins, or hastens what has begun; never defers it. Returns how long connections are still accepted.
    pub(crate) fn begin(&self, grace: Duration) -> Duration {
        let now = Instant::now();
        let wanted = now + grace;
        self.0.send_if_modified(|end| {
            let sooner = end.is_none_or(|end| wanted < end);
            if sooner {
                *end = Some(wanted);
            }
            sooner
        });
        let end = (*self.0.borrow()).unwrap_or(wanted);
        end.saturating_duration_since(now)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns when nothing more is to be accepted.
    pub(crate) async fn due(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let end = *changes.borrow_and_update();
            let due = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                // The sender is borrowed from self: it is there.
                _ = changes.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_drain_can_be_hastened_and_not_deferred() {
        let drain = Drain::default();
        assert!(!drain.is_on());
        let hour = Duration::from_secs(3600);
        assert_eq!(drain.begin(hour), hour);
        assert!(drain.is_on());
        assert!(drain.begin(2 * hour) <= hour);
        let due = drain.due();
        let hastened = async { drain.begin(Duration::ZERO) };
        let ((), left) = tokio::join!(due, hastened);
        assert_eq!(left, Duration::ZERO);
    }
}
