//! Which connections of a worker keep what hyper needs for a request while there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The connections of a worker that have a hyper and no exchange.
#[derive(Debug, Clone, Default)]
pub(super) struct Warm(Arc<AtomicUsize>);

/// One of them, or not at the moment.
#[derive(Debug)]
pub(super) struct WarmSlot {
    all: Warm,
    taken: bool,
}

/// So many may wait with a hyper each (some 24 KiB); more are parked as soon as they have nothing to do.
const MOST: usize = 128;

// === impl Warm ===

impl Warm {
    pub(super) fn slot(&self) -> WarmSlot {
        WarmSlot {
            all: self.clone(),
            taken: false,
        }
    }
}

// === impl WarmSlot ===

impl WarmSlot {
    /// False where there is none to be had.
    pub(super) fn take(&mut self) -> bool {
        if !self.taken {
            let before = self.all.0.fetch_add(1, Ordering::Relaxed);
            self.taken = before < MOST;
            if !self.taken {
                self.all.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.taken
    }

    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.all.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for WarmSlot {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left_or_dropped() {
        let warm = Warm::default();
        let mut slots: Vec<WarmSlot> = (0..MOST).map(|_| warm.slot()).collect();
        assert!(slots.iter_mut().all(WarmSlot::take) && slots.iter_mut().all(WarmSlot::take));
        let mut late = warm.slot();
        assert!(!late.take() && !late.take());
        slots[0].leave();
        slots[0].leave();
        assert!(late.take());
        drop(late);
        assert!(slots[0].take());
        drop(slots);
        assert_eq!(warm.0.load(Ordering::Relaxed), 0);
    }
}
