//! What is counted of upstreams.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Registry};

use super::{counters, gauges};
use crate::generation::Generation;
use crate::upstream::{Reason, ServerView, Verdict};

#[derive(Debug)]
pub(super) struct Upstreams {
    tries: IntCounterVec,
    ejections: IntCounterVec,
    checks: IntCounterVec,
    lookups: IntCounterVec,
    /// Read when rendered.
    servers: IntGaugeVec,
    in_flight: IntGaugeVec,
    ejected: IntGaugeVec,
}

/// The counters of one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// By verdict.
    tries: [IntCounter; Verdict::NAMES.len()],
    /// By reason.
    ejections: [IntCounter; Reason::NAMES.len()],
    /// Passed, failed.
    checks: [IntCounter; 2],
    lookups: [IntCounter; 2],
}

const CHECKED: [&str; 2] = ["passed", "failed"];
const LOOKED_UP: [&str; 2] = ["ok", "failed"];
const STATES: [&str; 5] = ["up", "unchecked", "down", "ejected", "draining"];

impl Upstreams {
    pub(super) fn register(r: &Registry) -> prometheus::Result<Upstreams> {
        Ok(Upstreams {
            tries: counters(
                r,
                "upstream_tries_total",
                "Requests sent to servers, by upstream and outcome (ok, connect, timeout, closed, broken)",
                &["upstream", "outcome"],
            )?,
            ejections: counters(
                r,
                "ejections_total",
                "Servers left alone for a while, by upstream and reason (connect, failures, success_rate)",
                &["upstream", "reason"],
            )?,
            checks: counters(
                r,
                "health_checks_total",
                "Active checks of servers, by upstream and outcome (passed, failed)",
                &["upstream", "outcome"],
            )?,
            lookups: counters(
                r,
                "lookups_total",
                "Look-ups of names that stand for servers, by upstream and outcome (ok, failed)",
                &["upstream", "outcome"],
            )?,
            servers: gauges(
                r,
                "servers",
                "Servers, by upstream and state (up, unchecked, down, ejected, draining)",
                &["upstream", "state"],
            )?,
            in_flight: gauges(
                r,
                "server_in_flight",
                "Requests at a server",
                &["upstream", "server"],
            )?,
            ejected: gauges(
                r,
                "server_ejected",
                "1 while a server is left alone",
                &["upstream", "server"],
            )?,
        })
    }

    pub(super) fn of(&self, upstream: &str) -> UpstreamMetrics {
        let one = |of: &IntCounterVec, label: &str| of.with_label_values(&[upstream, label]);
        UpstreamMetrics {
            tries: Verdict::NAMES.map(|outcome| one(&self.tries, outcome)),
            ejections: Reason::NAMES.map(|reason| one(&self.ejections, reason)),
            checks: CHECKED.map(|outcome| one(&self.checks, outcome)),
            lookups: LOOKED_UP.map(|outcome| one(&self.lookups, outcome)),
        }
    }

    /// Sets the gauges of servers as they are now; those that are gone leave no line behind.
    pub(super) fn read(&self, generation: &Generation) {
        for gauges in [&self.servers, &self.in_flight, &self.ejected] {
            gauges.reset();
        }
        for (name, upstream) in &generation.upstreams {
            for state in STATES {
                self.servers.with_label_values(&[name, state]);
            }
            for server in upstream.view() {
                self.read_server(name, &server);
            }
        }
    }

    fn read_server(&self, upstream: &str, server: &ServerView) {
        self.servers
            .with_label_values(&[upstream, server.state])
            .inc();
        let labels: [&str; 2] = [upstream, &server.server];
        let in_flight = i64::try_from(server.in_flight).unwrap_or(i64::MAX);
        self.in_flight.with_label_values(&labels).add(in_flight);
        let ejected = i64::from(server.state == "ejected");
        self.ejected.with_label_values(&labels).add(ejected);
    }
}

impl UpstreamMetrics {
    pub fn tried(&self, verdict: Verdict) {
        self.tries[verdict.index()].inc();
    }

    pub fn ejected(&self, reason: Reason) {
        self.ejections[reason as usize].inc();
    }

    pub fn checked(&self, passed: bool) {
        self.checks[usize::from(!passed)].inc();
    }

    pub fn looked_up(&self, found: bool) {
        self.lookups[usize::from(!found)].inc();
    }
}
