//! Bulkheads: how many exchanges may be under way in one part of the ship, and how many may wait to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::plan::Bulkhead as Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limit of one upstream or route.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    limits: Limits,
    /// tokio's semaphore is fair: who waits longest is next, and nobody overtakes. Leaving the queue is dropping the
    /// future, which gives back what it was just handed.
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One of the places; free again when dropped.
pub(crate) type Place = OwnedSemaphorePermit;

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl Bulkhead {
    pub(crate) fn new(limits: Limits) -> Bulkhead {
        let places = limits.max_in_flight.min(Semaphore::MAX_PERMITS);
        Bulkhead {
            limits,
            places: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The bulkhead of the next generation: the same one while its limits stay.
    pub(crate) fn next(
        limits: Option<Limits>,
        before: Option<&Arc<Bulkhead>>,
    ) -> Option<Arc<Bulkhead>> {
        let limits = limits?;
        let same = before.filter(|old| old.limits == limits);
        Some(same.map_or_else(|| Arc::new(Bulkhead::new(limits)), Arc::clone))
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.limits.max_in_flight - self.places.available_permits()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place, or waits for one: at most until `until`, and only while the queue has room. Err says what went
    /// wrong, for the log.
    pub(crate) async fn enter(&self, until: Instant) -> Result<Place, String> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let limits = &self.limits;
        let Some(_waiting) = Waiting::begin(&self.waiting, limits.queue) else {
            return Err(format!(
                "{} are under way and {} wait",
                limits.max_in_flight, limits.queue
            ));
        };
        let until = until.min(Instant::now() + limits.queue_timeout);
        match tokio::time::timeout_at(until.into(), self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(format!(
                "{} are under way, and no turn came",
                limits.max_in_flight
            )),
        }
    }

    /// What a refused client is told to wait: as long as others wait.
    pub(crate) fn patience(&self) -> Duration {
        self.limits.queue_timeout
    }
}

impl Waiting<'_> {
    fn begin(count: &AtomicUsize, most: usize) -> Option<Waiting<'_>> {
        let more = |n: usize| (n < most).then_some(n + 1);
        let begun = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        begun.ok().map(|_| Waiting(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulkhead(max_in_flight: usize, queue: usize) -> Arc<Bulkhead> {
        Arc::new(Bulkhead::new(Limits {
            max_in_flight,
            queue,
            queue_timeout: Duration::from_secs(30),
        }))
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn who_came_first_goes_first_and_the_queue_is_bounded() {
        let bulkhead = bulkhead(1, 3);
        let held = bulkhead.enter(far()).await.expect("a place");
        let (said, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (bulkhead, said) = (bulkhead.clone(), said.clone());
            waiting.push(tokio::spawn(async move {
                let place = bulkhead.enter(far()).await;
                said.send(number).expect("the test listens");
                drop(place);
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 3));
        assert!(bulkhead.enter(far()).await.is_err(), "the queue is full");
        drop(held);
        for wanted in 0..3 {
            assert_eq!(order.recv().await, Some(wanted));
        }
        for task in waiting {
            task.await.expect("it ended");
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn one_who_leaves_the_queue_leaves_no_trace() {
        let bulkhead = bulkhead(1, 1);
        let held = bulkhead.enter(far()).await.expect("a place");
        for _ in 0..100 {
            let leaving = tokio::spawn({
                let bulkhead = bulkhead.clone();
                async move { bulkhead.enter(far()).await.map(drop) }
            });
            while bulkhead.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            leaving.abort();
            assert!(leaving.await.is_err_and(|error| error.is_cancelled()));
            assert_eq!(bulkhead.waiting(), 0);
        }
        drop(held);
        assert_eq!(bulkhead.in_flight(), 0);
        assert!(bulkhead.enter(far()).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_exchange_may_take() {
        let bulkhead = bulkhead(1, 1);
        let _held = bulkhead.enter(far()).await.expect("a place");
        assert!(bulkhead.enter(Instant::now()).await.is_err());
        assert_eq!(bulkhead.waiting(), 0);
    }
}
