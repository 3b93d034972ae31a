//! Metrics of retries, hedges, breakers and bulkheads.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use super::Shield;
use super::breaker::State;
use super::bulkhead::Bulkhead;
use crate::ground::registry::{Book, clamped};

/// All of the process; they live on over reloads.
#[derive(Debug)]
pub(crate) struct ShieldMetrics {
    retries: IntCounterVec,
    hedges: IntCounterVec,
    changes: IntCounterVec,
    states: IntGaugeVec,
    in_flight: IntGaugeVec,
    waiting: IntGaugeVec,
}

/// The counters of one upstream.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamCounters {
    pub(crate) retries_sent: IntCounter,
    pub(crate) retries_denied: IntCounter,
    pub(crate) hedges_won: IntCounter,
    pub(crate) hedges_lost: IntCounter,
    changes: [IntCounter; 3],
}

impl ShieldMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<ShieldMetrics> {
        Ok(ShieldMetrics {
            retries: book.counters(
                "retries_total",
                "Requests sent again, hedges included, and those that the budget denied, by outcome (sent, denied)",
                &["upstream", "outcome"],
            )?,
            hedges: book.counters(
                "hedges_total",
                "Requests sent to a second server because the first was late, by outcome (won, lost)",
                &["upstream", "outcome"],
            )?,
            changes: book.counters(
                "breaker_changes_total",
                "Changes of circuit breakers, by new state (closed, half_open, open)",
                &["upstream", "state"],
            )?,
            states: book.gauges(
                "breaker_state",
                "0 while a circuit breaker is closed, 1 half open, 2 open",
                &["upstream"],
            )?,
            in_flight: book.gauges(
                "bulkhead_in_flight",
                "Exchanges inside of a limit, by what it limits (route, upstream)",
                &["of", "name"],
            )?,
            waiting: book.gauges(
                "bulkhead_waiting",
                "Exchanges that wait for a place, by what is limited (route, upstream)",
                &["of", "name"],
            )?,
        })
    }

    pub(crate) fn upstream(&self, name: &str) -> UpstreamCounters {
        let retries = |outcome| self.retries.with_label_values(&[name, outcome]);
        let hedges = |outcome| self.hedges.with_label_values(&[name, outcome]);
        UpstreamCounters {
            retries_sent: retries("sent"),
            retries_denied: retries("denied"),
            hedges_won: hedges("won"),
            hedges_lost: hedges("lost"),
            changes: State::NAMES.map(|state| self.changes.with_label_values(&[name, state])),
        }
    }

    /// Reads what the shields of upstreams, and the bulkheads of routes by their names, hold just now.
    pub(crate) fn read<'a>(
        &self,
        shields: impl Iterator<Item = (&'a Arc<str>, &'a Shield)>,
        routes: impl Iterator<Item = (&'a Arc<str>, &'a Bulkhead)>,
    ) {
        for gauges in [&self.states, &self.in_flight, &self.waiting] {
            gauges.reset();
        }
        let bulkhead = |of: &str, name: &str, bulkhead: &Bulkhead| {
            let set = |gauges: &IntGaugeVec, count: usize| {
                gauges.with_label_values(&[of, name]).set(clamped(count));
            };
            set(&self.in_flight, bulkhead.in_flight());
            set(&self.waiting, bulkhead.waiting());
        };
        for (name, shield) in shields {
            if let Some(breaker) = &shield.breaker {
                let state = clamped(breaker.state().number());
                self.states.with_label_values(&[&**name]).set(state);
            }
            if let Some(limit) = &shield.bulkhead {
                bulkhead("upstream", name, limit);
            }
        }
        for (name, limit) in routes {
            bulkhead("route", name, limit);
        }
    }
}

impl UpstreamCounters {
    pub(crate) fn breaker_is(&self, state: State) {
        self.changes[state.number()].inc();
    }
}
