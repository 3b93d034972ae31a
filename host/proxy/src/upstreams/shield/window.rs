//! Counts over the last while: of all, and of the marked among them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A sliding window of ten slices. Each slice is one word (its number, all, marked), so counting is one
/// compare-and-swap and nothing is ever locked.
#[derive(Debug)]
pub(super) struct Window {
    slice: Duration,
    slices: [AtomicU64; SLICES as usize],
}

/// What a window or a slice of it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) all: u64,
    pub(super) marked: u64,
}

const SLICES: u64 = 10;
/// Four millions in a slice; more are not counted, which leaves the share of the marked as it is.
const COUNT_BITS: u32 = 22;
const MOST: u64 = (1 << COUNT_BITS) - 1;
/// Slices are told apart by the low bits of their number: they repeat after a million slices.
const NUMBER: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

impl Window {
    pub(super) fn new(length: Duration) -> Window {
        Window {
            slice: (length / 10).max(Duration::from_millis(1)),
            slices: [const { AtomicU64::new(0) }; SLICES as usize],
        }
    }

    /// One more, at a time since the beginning.
    pub(super) fn add(&self, now: Duration, counts: Counts) {
        self.change(now, |old| Counts {
            all: old.all + counts.all,
            marked: old.marked + counts.marked,
        });
    }

    /// Takes back what was added in this slice.
    pub(super) fn take_back(&self, now: Duration, counts: Counts) {
        self.change(now, |old| Counts {
            all: old.all.saturating_sub(counts.all),
            marked: old.marked.saturating_sub(counts.marked),
        });
    }

    pub(super) fn sum(&self, now: Duration) -> Counts {
        let number = self.number(now);
        let recent = |word: u64| (number.wrapping_sub(number_of(word)) & NUMBER) < SLICES;
        let words = self
            .slices
            .iter()
            .map(|slice| slice.load(Ordering::Relaxed));
        words
            .filter(|word| recent(*word))
            .map(counts_of)
            .fold(Counts::default(), |sum, counts| Counts {
                all: sum.all + counts.all,
                marked: sum.marked + counts.marked,
            })
    }

    pub(super) fn clear(&self) {
        for slice in &self.slices {
            slice.store(0, Ordering::Relaxed);
        }
    }

    fn change(&self, now: Duration, change: impl Fn(Counts) -> Counts) {
        let number = self.number(now);
        let slice = usize::try_from(number % SLICES).expect("an index below ten");
        let next = |word: u64| {
            let old = if number_of(word) == number & NUMBER {
                counts_of(word)
            } else {
                Counts::default()
            };
            let new = change(old);
            let fits = new.all <= MOST && new.marked <= MOST;
            let number = (number & NUMBER) << (2 * COUNT_BITS);
            fits.then_some(number | new.all << COUNT_BITS | new.marked)
        };
        // A full slice stays as it is.
        let _full = self.slices[slice].fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// From ten on, so that an empty word belongs to no slice of the first window.
    fn number(&self, now: Duration) -> u64 {
        let slices = now.as_nanos() / self.slice.as_nanos();
        SLICES + u64::try_from(slices).unwrap_or(u64::MAX - SLICES)
    }
}

fn number_of(word: u64) -> u64 {
    word >> (2 * COUNT_BITS)
}

fn counts_of(word: u64) -> Counts {
    Counts {
        all: word >> COUNT_BITS & MOST,
        marked: word & MOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Counts = Counts { all: 1, marked: 0 };
    const MARK: Counts = Counts { all: 1, marked: 1 };

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let window = Window::new(Duration::from_secs(1));
        window.add(at(0), MARK);
        window.add(at(950), ONE);
        let table = [
            (950, 2, 1),
            (999, 2, 1),
            (1000, 1, 0),
            (1899, 1, 0),
            (1900, 0, 0),
        ];
        for (now, all, marked) in table {
            assert_eq!(window.sum(at(now)), Counts { all, marked }, "at {now} ms");
        }
        // The slice of 0 ms is used again.
        window.add(at(1000), ONE);
        assert_eq!(window.sum(at(1000)), Counts { all: 2, marked: 0 });
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let window = Window::new(Duration::from_secs(1));
        window.add(at(10), MARK);
        window.take_back(at(20), MARK);
        assert_eq!(window.sum(at(20)), Counts::default());
        window.take_back(at(20), MARK);
        assert_eq!(window.sum(at(20)), Counts::default());
    }

    #[test]
    fn counts_of_many_threads_add_up() {
        let window = Window::new(Duration::from_secs(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| window.add(at(5), MARK)));
            }
        });
        let want = Counts {
            all: 40_000,
            marked: 40_000,
        };
        assert_eq!(window.sum(at(5)), want);
    }
}
