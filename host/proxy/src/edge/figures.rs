//! The metrics of the edge. Labels: routes, upstreams, encodings, outcomes.

use prometheus::{IntCounterVec, IntGauge};

use crate::metrics::Book;

#[derive(Debug)]
pub struct Figures {
    /// By route and upstream.
    pub(super) split: IntCounterVec,
    /// By route and outcome.
    pub(super) mirrored: IntCounterVec,
    /// By encoding; `busy` where all places were taken.
    pub(super) compressed: IntCounterVec,
    /// By encoding and side.
    pub(super) compression_bytes: IntCounterVec,
    pub(super) compressing: IntGauge,
}

impl Figures {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<Figures> {
        Ok(Figures {
            split: book.counters(
                "split_total",
                "Requests of routes with a split, by route and the upstream chosen",
                &["route", "upstream"],
            )?,
            mirrored: book.counters(
                "mirrored_total",
                "Copies of requests, by route and outcome (sent, failed, busy, too_large, incomplete)",
                &["route", "outcome"],
            )?,
            compressed: book.counters(
                "compressed_total",
                "Answers compressed, by encoding; busy: left as they were because too many were being compressed",
                &["encoding"],
            )?,
            compression_bytes: book.counters(
                "compression_bytes_total",
                "Bytes of compressed answers, by encoding and side (before, after)",
                &["encoding", "side"],
            )?,
            compressing: book.gauge("compressing", "Answers being compressed")?,
        })
    }
}
