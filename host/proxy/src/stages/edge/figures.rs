//! The metrics of the edge. Labels: routes, upstreams, encodings, outcomes.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::ground::sift::Dropped;
use crate::pipeline::metrics::Book;

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
    /// By kind: `forwarding`, `ambiguous`.
    dropped: [IntCounter; 2],
}

impl Figures {
    pub(crate) fn enter(book: &mut Book) -> prometheus::Result<Figures> {
        let dropped = book.counters(
            "request_headers_dropped_total",
            "Header fields taken out of requests, by kind (forwarding: a client that is no trusted proxy spoke for one; ambiguous: services could take the name for another)",
            &["kind"],
        )?;
        Ok(Figures {
            dropped: ["forwarding", "ambiguous"].map(|kind| dropped.with_label_values(&[kind])),
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

    pub(crate) fn dropped(&self, dropped: &Dropped) {
        let all = [&dropped.forwarding, &dropped.ambiguous];
        for (counter, names) in self.dropped.iter().zip(all) {
            if !names.is_empty() {
                counter.inc_by(names.len() as u64);
            }
        }
    }
}
