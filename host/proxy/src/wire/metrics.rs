//! What is counted of connections of clients.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, Result};

use crate::ground::registry::{Book, SECONDS};
use crate::wire::protocol::Protocol;
use crate::wire::tls::Failed;

/// By listener, in the order of `Protocol`.
#[derive(Debug)]
pub(crate) struct Clients {
    open: [IntGauge; Protocol::NAMES.len()],
    parked: IntGauge,
    accepted: [IntCounter; Protocol::NAMES.len()],
    handshakes: [IntCounter; HANDSHAKES.len()],
    handshake_duration: Histogram,
}

/// A connection that is counted as open, or as parked, until this is dropped.
pub(crate) struct GaugeGuard(IntGauge);

const HANDSHAKES: [&str; 3] = ["done", "failed", "timeout"];

impl Clients {
    pub(crate) fn enter(book: &mut Book) -> Result<Clients> {
        let open = book.gauges(
            "client_connections_open",
            "Open connections of clients, by listener (http, h2c, https)",
            &["listener"],
        )?;
        let parked = book.gauge(
            "client_connections_parked",
            "Of the open connections of clients, those of HTTP/1 that wait for a request and keep no buffers for it",
        )?;
        let accepted = book.counters(
            "client_connections_total",
            "Connections of clients accepted, by listener (http, h2c, https)",
            &["listener"],
        )?;
        let handshakes = book.counters(
            "tls_handshakes_total",
            "TLS handshakes of clients, by outcome (done, failed, timeout)",
            &["outcome"],
        )?;
        let durations = book.histograms(
            "tls_handshake_duration_seconds",
            "TLS handshakes of clients that were done, from the first byte to the last",
            &[],
            SECONDS,
        )?;
        Ok(Clients {
            open: Protocol::NAMES.map(|name| open.with_label_values(&[name])),
            parked,
            accepted: Protocol::NAMES.map(|name| accepted.with_label_values(&[name])),
            handshakes: HANDSHAKES.map(|outcome| handshakes.with_label_values(&[outcome])),
            handshake_duration: durations.with_label_values::<&str>(&[]),
        })
    }

    pub(crate) fn accepted(&self, protocol: Protocol) -> GaugeGuard {
        self.accepted[protocol as usize].inc();
        GaugeGuard::of(&self.open[protocol as usize])
    }

    pub(crate) fn parked(&self) -> GaugeGuard {
        GaugeGuard::of(&self.parked)
    }

    pub(crate) fn handshake_done(&self, took: Duration) {
        self.handshakes[0].inc();
        self.handshake_duration.observe(took.as_secs_f64());
    }

    pub(crate) fn handshake_failed(&self, why: &Failed) {
        let outcome = match why {
            Failed::Refused(_) => 1,
            Failed::TimedOut => 2,
        };
        self.handshakes[outcome].inc();
    }
}

impl GaugeGuard {
    fn of(gauge: &IntGauge) -> GaugeGuard {
        gauge.inc();
        GaugeGuard(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}
