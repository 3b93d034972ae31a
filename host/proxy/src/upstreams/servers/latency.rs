//! How long a server takes to answer, averaged over time: what `ewma` and `peak_ewma` go by.
//!
//! The average forgets with a half-life of about 7 s, also while nobody asks: a server that was slow once is asked
//! again some day. Two atomics that do not move together: what a race loses is one observation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ground::clock::nanos;

#[derive(Debug, Default)]
pub(super) struct Latency {
    /// Seconds, as the bits of an f64.
    average: AtomicU64,
    /// Nanoseconds on the server's clock; 0: nothing was observed yet.
    at: AtomicU64,
}

/// After this, an observation weighs 1/e.
const MEMORY: Duration = Duration::from_secs(10);

impl Latency {
    /// `peak`: a longer time counts at once, only shorter ones are averaged.
    pub(super) fn observe(&self, took: Duration, now: Duration, peak: bool) {
        let sample = took.as_secs_f64();
        let average = match self.average(now) {
            Some((average, _)) if peak && sample > average => sample,
            Some((average, weight)) => average * weight + sample * (1.0 - weight),
            None => sample,
        };
        self.average.store(average.to_bits(), Ordering::Relaxed);
        self.at.store(nanos(now).max(1), Ordering::Relaxed);
    }

    /// What is expected of the next request, in seconds. None: nothing is known.
    pub(super) fn expected(&self, now: Duration) -> Option<f64> {
        self.average(now).map(|(average, weight)| average * weight)
    }

    /// The average, and what is left of its weight.
    fn average(&self, now: Duration) -> Option<(f64, f64)> {
        let at = self.at.load(Ordering::Relaxed);
        if at == 0 {
            return None;
        }
        let passed = now.saturating_sub(Duration::from_nanos(at));
        let weight = (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        let average = f64::from_bits(self.average.load(Ordering::Relaxed));
        Some((average, weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 0.001)
    }

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        let latency = Latency::default();
        assert_eq!(latency.expected(s(1)), None);
        latency.observe(ms(10), s(1), true);
        latency.observe(ms(500), s(1), true);
        assert!(close(latency.expected(s(1)), 0.5));
        latency.observe(ms(10), s(2), true);
        assert!(latency.expected(s(2)).is_some_and(|t| t > 0.4));
        assert!(latency.expected(s(60)).is_some_and(|t| t < 0.01));
    }

    #[test]
    fn an_average_takes_a_peak_for_one_of_many() {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        let latency = Latency::default();
        latency.observe(ms(10), s(1), false);
        latency.observe(ms(500), s(1) + ms(10), false);
        assert!(latency.expected(s(1) + ms(10)).is_some_and(|t| t < 0.02));
    }
}
