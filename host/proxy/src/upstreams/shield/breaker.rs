//! The circuit breaker of an upstream: closed while it works, open while it fails, half open to see whether it works
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::plan::Breaker as Limits;

use super::metrics::UpstreamCounters;
use super::window::{Counts, Window};

#[derive(Debug)]
pub(crate) struct Breaker {
    upstream: Arc<str>,
    limits: Limits,
    counters: UpstreamCounters,
    born: Instant,
    /// A [`State`] in one word: every transition is one compare-and-swap.
    state: AtomicU64,
    /// Tries; errors are the marked.
    window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    /// Until so many milliseconds after its birth.
    Open {
        until: u64,
    },
    HalfOpen {
        under_way: u64,
        succeeded: u64,
        /// Told apart, so that a probe of an earlier one says nothing about this one: milliseconds after its birth.
        since: u64,
    },
}

/// Leave for one try. Dropped without a word it says nothing of the upstream.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: Option<&'a Breaker>,
    /// When the half-open state began that this try is a probe of.
    probe: Option<u64>,
}

const PROBE_BITS: u32 = 10;
const PROBES: u64 = (1 << PROBE_BITS) - 1;

// === impl Breaker ===

impl Breaker {
    pub(super) fn new(limits: Limits, upstream: Arc<str>, counters: UpstreamCounters) -> Breaker {
        Breaker {
            upstream,
            limits,
            counters,
            born: Instant::now(),
            state: AtomicU64::new(State::Closed.pack()),
            window: Window::new(limits.window),
        }
    }

    /// Leave for one try; Err is how long to wait before asking again.
    pub(crate) fn admit(&self) -> Result<Pass<'_>, Duration> {
        self.admit_at(self.born.elapsed())
    }

    pub(crate) fn state(&self) -> State {
        State::unpack(self.state.load(Ordering::Acquire))
    }

    fn admit_at(&self, now: Duration) -> Result<Pass<'_>, Duration> {
        let pass = |probe| {
            Ok(Pass {
                breaker: Some(self),
                probe,
            })
        };
        loop {
            let state = self.state();
            let (next, since) = match state {
                State::Closed => return pass(None),
                State::Open { until } if millis(now) < until => {
                    return Err(Duration::from_millis(until - millis(now)));
                }
                State::Open { .. } => {
                    let since = millis(now);
                    let next = State::HalfOpen {
                        under_way: 1,
                        succeeded: 0,
                        since,
                    };
                    (next, since)
                }
                State::HalfOpen {
                    under_way,
                    succeeded,
                    since,
                } => {
                    if under_way + succeeded >= u64::from(self.limits.probes) {
                        // The probes decide before long.
                        return Err(Duration::from_secs(1));
                    }
                    let next = State::HalfOpen {
                        under_way: under_way + 1,
                        succeeded,
                        since,
                    };
                    (next, since)
                }
            };
            if self.change(state, next) {
                return pass(Some(since));
            }
        }
    }

    /// What a try came to.
    fn count(&self, probe: Option<u64>, good: bool, now: Duration) {
        match probe {
            Some(since) => self.settle(since, Some(good), now),
            None => {
                let marked = u64::from(!good);
                self.window.add(now, Counts { all: 1, marked });
                if !good && self.state() == State::Closed {
                    self.judge(now);
                }
            }
        }
    }

    /// Opens when the window holds too many errors.
    fn judge(&self, now: Duration) {
        let Counts { all, marked } = self.window.sum(now);
        let enough = all >= u64::from(self.limits.min_requests);
        if enough && marked * 100 >= all * u64::from(self.limits.errors) {
            let open = self.open(now);
            if self.change(State::Closed, open) {
                tracing::warn!(
                    upstream = %self.upstream,
                    "circuit breaker opened: {marked} of {all} tries failed"
                );
            }
        }
    }

    /// A probe has ended: well, badly, or (None) without a word.
    fn settle(&self, probe: u64, good: Option<bool>, now: Duration) {
        loop {
            let state = self.state();
            let State::HalfOpen {
                under_way,
                succeeded,
                since,
            } = state
            else {
                return;
            };
            if since != probe {
                return;
            }
            let succeeded = succeeded + u64::from(good == Some(true));
            let next = match good {
                Some(false) => self.open(now),
                Some(true) if succeeded >= u64::from(self.limits.probes) => State::Closed,
                _ => State::HalfOpen {
                    under_way: under_way.saturating_sub(1),
                    succeeded,
                    since,
                },
            };
            if next == State::Closed {
                // What failed before it opened must not open it again.
                self.window.clear();
            }
            if self.change(state, next) {
                return;
            }
        }
    }

    fn open(&self, now: Duration) -> State {
        State::Open {
            until: millis(now + self.limits.open_for),
        }
    }

    /// True where the state was still `from`; tells log and metrics of a new kind of state.
    fn change(&self, from: State, to: State) -> bool {
        let changed = self
            .state
            .compare_exchange(from.pack(), to.pack(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if changed && from.number() != to.number() {
            self.counters.breaker_is(to);
            tracing::info!(upstream = %self.upstream, "circuit breaker is {}", to.as_str());
        }
        changed
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

// === impl State ===

impl State {
    pub(crate) const NAMES: [&str; 3] = ["closed", "half_open", "open"];

    pub(crate) fn as_str(self) -> &'static str {
        State::NAMES[self.number()]
    }

    /// As the metric has it.
    pub(crate) fn number(self) -> usize {
        match self {
            State::Closed => 0,
            State::HalfOpen { .. } => 1,
            State::Open { .. } => 2,
        }
    }

    fn pack(self) -> u64 {
        match self {
            State::Closed => 0,
            State::HalfOpen {
                under_way,
                succeeded,
                since,
            } => 1 | under_way << 2 | succeeded << (2 + PROBE_BITS) | since << (2 + 2 * PROBE_BITS),
            State::Open { until } => 2 | until << 2,
        }
    }

    fn unpack(word: u64) -> State {
        match word & 3 {
            0 => State::Closed,
            1 => State::HalfOpen {
                under_way: word >> 2 & PROBES,
                succeeded: word >> (2 + PROBE_BITS) & PROBES,
                since: word >> (2 + 2 * PROBE_BITS),
            },
            _ => State::Open { until: word >> 2 },
        }
    }
}

// === impl Pass ===

impl Pass<'_> {
    /// Where there is no breaker.
    pub(crate) fn free() -> Pass<'static> {
        Pass {
            breaker: None,
            probe: None,
        }
    }

    /// Whether the upstream did its part.
    pub(crate) fn tell(mut self, good: bool) {
        if let Some(breaker) = self.breaker.take() {
            breaker.count(self.probe, good, breaker.born.elapsed());
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let (Some(breaker), Some(since)) = (self.breaker, self.probe) {
            breaker.settle(since, None, breaker.born.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::ShieldMetrics;
    use super::*;
    use crate::ground::registry::Book;

    fn breaker() -> Breaker {
        let limits = Limits {
            errors: 50,
            window: Duration::from_secs(10),
            min_requests: 10,
            open_for: Duration::from_secs(5),
            probes: 2,
        };
        let metrics = ShieldMetrics::enter(&mut Book::default()).expect("a new book");
        let counters = metrics.upstream("u");
        Breaker::new(limits, "u".into(), counters)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn tries(breaker: &Breaker, good: usize, bad: usize, now: Duration) {
        (0..good).for_each(|_| breaker.count(None, true, now));
        (0..bad).for_each(|_| breaker.count(None, false, now));
    }

    fn probe(breaker: &Breaker, now: Duration) -> Option<u64> {
        let pass = breaker.admit_at(now).ok()?;
        let probe = pass.probe;
        std::mem::forget(pass);
        probe
    }

    #[test]
    fn it_opens_at_the_share_of_errors_and_not_before_there_are_enough_tries() {
        // (good, bad, is open)
        let table = [
            (0, 9, false),
            (0, 10, true),
            (6, 4, false),
            (5, 5, true),
            (90, 60, false),
        ];
        for (good, bad, open) in table {
            let breaker = breaker();
            tries(&breaker, good, bad, at(1));
            assert_eq!(
                breaker.admit_at(at(1)).is_err(),
                open,
                "{good} good, {bad} bad"
            );
        }
    }

    #[test]
    fn old_errors_are_forgotten() {
        let breaker = breaker();
        tries(&breaker, 0, 9, at(0));
        tries(&breaker, 0, 1, at(10));
        assert!(breaker.admit_at(at(10)).is_ok());
    }

    #[test]
    fn half_open_it_lets_the_probes_through_and_closes_when_they_succeed() {
        let breaker = breaker();
        tries(&breaker, 0, 10, at(0));
        assert_eq!(breaker.admit_at(at(1)).expect_err("open"), at(4));
        let first = probe(&breaker, at(5));
        let second = probe(&breaker, at(5));
        assert!(first.is_some() && second.is_some());
        assert!(breaker.admit_at(at(5)).is_err(), "a third must wait");
        breaker.count(first, true, at(6));
        assert!(breaker.admit_at(at(6)).is_err(), "one has yet to answer");
        breaker.count(second, true, at(6));
        assert_eq!(breaker.state(), State::Closed);
        tries(&breaker, 0, 1, at(6));
        assert_eq!(breaker.state(), State::Closed, "it begins anew");
    }

    #[test]
    fn a_failed_probe_opens_it_again_for_the_whole_time() {
        let breaker = breaker();
        tries(&breaker, 0, 10, at(0));
        let (first, second) = (probe(&breaker, at(5)), probe(&breaker, at(5)));
        breaker.count(first, false, at(6));
        assert_eq!(breaker.admit_at(at(10)).expect_err("open"), at(1));
        // The other one belongs to the past.
        breaker.count(second, true, at(6));
        let late = probe(&breaker, at(11));
        assert!(late.is_some());
        breaker.count(second, true, at(11));
        breaker.count(second, false, at(11));
        assert!(matches!(
            breaker.state(),
            State::HalfOpen { succeeded: 0, .. }
        ));
    }

    #[test]
    fn a_probe_that_nobody_waits_for_any_more_makes_room_for_another() {
        let breaker = breaker();
        tries(&breaker, 0, 10, at(0));
        let passes: Vec<_> = (0..2).map(|_| breaker.admit_at(at(5))).collect();
        assert!(breaker.admit_at(at(5)).is_err());
        drop(passes);
        assert!(breaker.admit_at(at(5)).is_ok());
    }

    #[test]
    fn a_state_is_the_same_after_packing() {
        let since = (1 << 40) - 1;
        let states = [
            State::Closed,
            State::Open { until: 0 },
            State::Open { until: since },
            State::HalfOpen {
                under_way: 1000,
                succeeded: 999,
                since,
            },
        ];
        for state in states {
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
