//! The metrics of the edge. Labels: routes, upstreams, encodings, outcomes.

use prometheus::{IntCounterVec, IntGauge};

use crate::ground::registry::Book;

#[derive(Debug)]
pub struct EdgeMetrics {
    /// By route and upstream.
    pub(crate) split: IntCounterVec,
    /// By route and outcome.
    pub(crate) mirrored: IntCounterVec,
    /// By encoding; `busy` where all places were taken.
    pub(crate) compressed: IntCounterVec,
    /// By encoding and side.
    pub(crate) compression_bytes: IntCounterVec,
    pub(crate) compressing: IntGauge,
}

impl EdgeMetrics {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<EdgeMetrics> {
        Ok(EdgeMetrics {
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
