//! The retry budget of an upstream: what may be sent on top of what clients asked for. Retries multiply the load of
//! servers that fail because of their load; the budget bounds the multiple.

use std::time::{Duration, Instant};

use portcullis_config::plan::RetryBudget;

use super::window::{Counts, Window};

#[derive(Debug)]
pub(crate) struct Budget {
    plan: RetryBudget,
    born: Instant,
    /// Requests; retries are the marked.
    window: Window,
}

/// Over what time requests and retries are counted.
const WINDOW: Duration = Duration::from_secs(10);
const REQUEST: Counts = Counts { all: 1, marked: 0 };
const RETRY: Counts = Counts { all: 0, marked: 1 };

impl Budget {
    pub(super) fn new(plan: RetryBudget) -> Budget {
        Budget {
            plan,
            born: Instant::now(),
            window: Window::new(WINDOW),
        }
    }

    /// A client's request is about to be sent.
    pub(crate) fn earn(&self) {
        self.window.add(self.born.elapsed(), REQUEST);
    }

    /// Whether one more may be sent; if so it is counted.
    pub(crate) fn spend(&self) -> bool {
        self.spend_at(self.born.elapsed())
    }

    /// Counts first and looks then: of several at once none goes over.
    fn spend_at(&self, now: Duration) -> bool {
        self.window.add(now, RETRY);
        let sum = self.window.sum(now);
        let within = sum.marked <= self.allowed(sum.all);
        if !within {
            self.window.take_back(now, RETRY);
        }
        within
    }

    fn allowed(&self, requests: u64) -> u64 {
        requests * u64::from(self.plan.percent) / 100
            + u64::from(self.plan.min_per_second) * WINDOW.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests_and_a_minimum_per_second() {
        // (percent, min per second, requests, retries that get through)
        let table = [
            (20, 0, 100, 20),
            (20, 0, 4, 0),
            (20, 0, 5, 1),
            (0, 1, 100, 10),
            (20, 10, 100, 120),
            (0, 0, 1000, 0),
            (100, 0, 7, 7),
        ];
        for (percent, min_per_second, requests, want) in table {
            let budget = Budget::new(RetryBudget {
                percent,
                min_per_second,
            });
            (0..requests).for_each(|_| budget.window.add(Duration::ZERO, REQUEST));
            let got = (0..2000)
                .filter(|_| budget.spend_at(Duration::ZERO))
                .count();
            assert_eq!(got, want, "{percent} %, {min_per_second}/s of {requests}");
        }
    }

    #[test]
    fn a_budget_comes_back_with_time() {
        let budget = Budget::new(RetryBudget {
            percent: 0,
            min_per_second: 1,
        });
        let spent = |now| (0..100).filter(|_| budget.spend_at(now)).count();
        assert_eq!(spent(Duration::ZERO), 10);
        assert_eq!(spent(Duration::from_secs(9)), 0);
        assert_eq!(spent(Duration::from_secs(10)), 10);
    }

    #[test]
    fn threads_that_spend_at_once_never_overspend() {
        let budget = Budget::new(RetryBudget {
            percent: 0,
            min_per_second: 50,
        });
        let spent = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let yes = budget.spend_at(Duration::ZERO);
                        spent.fetch_add(u64::from(yes), std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(spent.into_inner(), 500);
    }
}
