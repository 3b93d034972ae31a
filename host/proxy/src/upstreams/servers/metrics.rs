//! What is counted of upstreams.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Result};

use super::Upstreams;
use super::outlier::Reason;
use super::verdict::Verdict;
use super::view::ServerView;
use crate::ground::registry::{Book, CLASSES, SECONDS, clamped, class};

#[derive(Debug)]
pub(crate) struct UpstreamFamilies {
    tries: IntCounterVec,
    responses: IntCounterVec,
    durations: HistogramVec,
    connections: IntCounterVec,
    ejections: IntCounterVec,
    checks: IntCounterVec,
    lookups: IntCounterVec,
    /// Read when rendered.
    servers: IntGaugeVec,
    in_flight: IntGaugeVec,
    ejected: IntGaugeVec,
    pooled: IntGaugeVec,
}

/// Where the connection of a try came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connected {
    Opened,
    Reused,
    Failed,
}

/// The counters of one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    /// By verdict.
    tries: [IntCounter; Verdict::NAMES.len()],
    /// By class of status.
    responses: [IntCounter; CLASSES.len()],
    duration: Histogram,
    connections: [IntCounter; CONNECTED.len()],
    /// By reason.
    ejections: [IntCounter; Reason::NAMES.len()],
    /// Passed, failed.
    checks: [IntCounter; 2],
    lookups: [IntCounter; 2],
}

/// In the order of `Connected`.
const CONNECTED: [&str; 3] = ["opened", "reused", "failed"];
const CHECKED: [&str; 2] = ["passed", "failed"];
const LOOKED_UP: [&str; 2] = ["ok", "failed"];
const STATES: [&str; 5] = ["up", "unchecked", "down", "ejected", "draining"];

impl UpstreamFamilies {
    pub(crate) fn enter(book: &mut Book) -> Result<UpstreamFamilies> {
        Ok(UpstreamFamilies {
            tries: book.counters(
                "upstream_tries_total",
                "Requests sent to servers, by upstream and outcome (ok: a response came, whatever its status; connect, timeout, closed, broken)",
                &["upstream", "outcome"],
            )?,
            responses: book.counters(
                "upstream_responses_total",
                "Responses of servers, by upstream and class of status",
                &["upstream", "status"],
            )?,
            durations: book.histograms(
                "upstream_try_duration_seconds",
                "From the choice of a server to the head of its response, or to its failure",
                &["upstream"],
                SECONDS,
            )?,
            connections: book.counters(
                "upstream_connections_total",
                "Connections that tries asked for, by upstream and outcome (opened, reused, failed); of an HTTP/2 connection all streams but the first reuse it",
                &["upstream", "outcome"],
            )?,
            ejections: book.counters(
                "ejections_total",
                "Servers left alone for a while, by upstream and reason (connect, failures, success_rate)",
                &["upstream", "reason"],
            )?,
            checks: book.counters(
                "health_checks_total",
                "Active checks of servers, by upstream and outcome (passed, failed)",
                &["upstream", "outcome"],
            )?,
            lookups: book.counters(
                "lookups_total",
                "Look-ups of names that stand for servers, by upstream and outcome (ok, failed)",
                &["upstream", "outcome"],
            )?,
            servers: book.gauges(
                "servers",
                "Servers, by upstream and state (up, unchecked, down, ejected, draining)",
                &["upstream", "state"],
            )?,
            in_flight: book.gauges(
                "server_in_flight",
                "Requests at a server",
                &["upstream", "server"],
            )?,
            ejected: book.gauges(
                "server_ejected",
                "1 while a server is left alone",
                &["upstream", "server"],
            )?,
            pooled: book.gauges(
                "upstream_connections_pooled",
                "Connections in the pools: idle ones of HTTP/1.1, and all of HTTP/2",
                &["upstream"],
            )?,
        })
    }

    pub(crate) fn of(&self, upstream: &str) -> UpstreamMetrics {
        let one = |of: &IntCounterVec, label: &str| of.with_label_values(&[upstream, label]);
        UpstreamMetrics {
            tries: Verdict::NAMES.map(|outcome| one(&self.tries, outcome)),
            responses: CLASSES.map(|class| one(&self.responses, class)),
            duration: self.durations.with_label_values(&[upstream]),
            connections: CONNECTED.map(|outcome| one(&self.connections, outcome)),
            ejections: Reason::NAMES.map(|reason| one(&self.ejections, reason)),
            checks: CHECKED.map(|outcome| one(&self.checks, outcome)),
            lookups: LOOKED_UP.map(|outcome| one(&self.lookups, outcome)),
        }
    }

    /// Sets the gauges of servers as they are now; those that are gone leave no line behind.
    pub(crate) fn read(&self, upstreams: &Upstreams) {
        for gauges in [&self.servers, &self.in_flight, &self.ejected, &self.pooled] {
            gauges.reset();
        }
        for (name, upstream) in upstreams {
            for state in STATES {
                self.servers.with_label_values(&[name, state]);
            }
            for server in upstream.view() {
                self.read_server(name, &server);
            }
            let servers = upstream.servers();
            let pooled: usize = servers.iter().map(|server| server.pooled()).sum();
            self.pooled.with_label_values(&[name]).set(clamped(pooled));
        }
    }

    fn read_server(&self, upstream: &str, server: &ServerView) {
        self.servers
            .with_label_values(&[upstream, server.state])
            .inc();
        let labels: [&str; 2] = [upstream, &server.server];
        let in_flight = clamped(server.in_flight);
        self.in_flight.with_label_values(&labels).add(in_flight);
        let ejected = i64::from(server.state == "ejected");
        self.ejected.with_label_values(&labels).add(ejected);
    }
}

impl UpstreamMetrics {
    pub fn tried(&self, verdict: Verdict, took: Duration) {
        self.tries[verdict.index()].inc();
        self.duration.observe(took.as_secs_f64());
        if let Verdict::Answered(status) = verdict {
            self.responses[class(status)].inc();
        }
    }

    pub(crate) fn connected(&self, how: Connected) {
        self.connections[how as usize].inc();
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
