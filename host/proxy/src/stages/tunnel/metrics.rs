//! What is counted of WebSockets, by route.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::ending::Ending;
use crate::ground::registry::Book;
use crate::observe::record::Passed;

/// The families; one per process.
#[derive(Debug, Clone)]
pub(crate) struct SocketFamilies {
    open: IntGaugeVec,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    ended: IntCounterVec,
}

/// The counters of one socket's route, and what it has counted already.
#[derive(Debug)]
pub(crate) struct SocketMetrics {
    open: IntGauge,
    messages: [IntCounter; 2],
    bytes: [IntCounter; 2],
    counted: [Passed; 2],
}

/// As the labels say it, in the order of `Relay::passed`.
const FROM: [&str; 2] = ["client", "server"];

// === impl SocketFamilies ===

impl SocketFamilies {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<SocketFamilies> {
        Ok(SocketFamilies {
            open: book.gauges("websockets", "Open WebSockets", &["route"])?,
            messages: book.counters(
                "websocket_messages_total",
                "Messages of WebSockets, by the end they came from",
                &["route", "from"],
            )?,
            bytes: book.counters(
                "websocket_bytes_total",
                "Bytes of WebSockets, frame headers included, by the end they came from",
                &["route", "from"],
            )?,
            ended: book.counters(
                "websockets_ended_total",
                "WebSockets that ended, by what ended them",
                &["route", "by"],
            )?,
        })
    }

    /// Counts a socket as open until its metrics are dropped.
    pub(crate) fn open(&self, route: &str) -> SocketMetrics {
        let open = self.open.with_label_values(&[route]);
        open.inc();
        SocketMetrics {
            open,
            messages: FROM.map(|from| self.messages.with_label_values(&[route, from])),
            bytes: FROM.map(|from| self.bytes.with_label_values(&[route, from])),
            counted: [Passed::default(); 2],
        }
    }

    pub(super) fn ended(&self, route: &str, ending: Ending) {
        self.ended
            .with_label_values(&[route, ending.as_str()])
            .inc();
    }
}

// === impl SocketMetrics ===

impl SocketMetrics {
    /// Counts what passed since the last time.
    pub(super) fn count(&mut self, passed: [Passed; 2]) {
        for (at, now) in passed.into_iter().enumerate() {
            let before = std::mem::replace(&mut self.counted[at], now);
            if now != before {
                self.bytes[at].inc_by(now.bytes - before.bytes);
                self.messages[at].inc_by(now.messages - before.messages);
            }
        }
    }
}

impl Drop for SocketMetrics {
    fn drop(&mut self) {
        self.open.dec();
    }
}
