//! What became of spans, in numbers.

use prometheus::{IntCounter, IntCounterVec};

use crate::ground::registry::Book;

#[derive(Debug, Clone)]
pub struct TraceMetrics {
    sent: IntCounter,
    lost: IntCounterVec,
}

/// Why a span was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    QueueFull,
    /// The collector was down, too slow, or refused it for good.
    NotDelivered,
    /// The collector took the rest.
    Rejected,
}

impl Lost {
    const ALL: [Lost; 3] = [Lost::QueueFull, Lost::NotDelivered, Lost::Rejected];

    fn as_str(self) -> &'static str {
        match self {
            Lost::QueueFull => "queue_full",
            Lost::NotDelivered => "not_delivered",
            Lost::Rejected => "rejected",
        }
    }
}

impl TraceMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<TraceMetrics> {
        let lost = book.counters(
            "spans_dropped_total",
            "Spans that the collector of [traces] was not told of, by reason (queue_full, not_delivered, rejected)",
            &["reason"],
        )?;
        for reason in Lost::ALL {
            lost.with_label_values(&[reason.as_str()]);
        }
        Ok(TraceMetrics {
            sent: book.counter(
                "spans_sent_total",
                "Spans that the collector of [traces] took",
            )?,
            lost,
        })
    }

    pub(super) fn sent(&self, spans: u64) {
        self.sent.inc_by(spans);
    }

    pub(super) fn lost(&self, reason: Lost, spans: u64) {
        self.lost
            .with_label_values(&[reason.as_str()])
            .inc_by(spans);
    }
}
