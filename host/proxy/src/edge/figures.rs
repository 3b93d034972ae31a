//! The metrics of the edge. Labels: routes, upstreams, encodings, outcomes.

use prometheus::{IntCounterVec, IntGauge, Registry};

use crate::metrics::{counters, gauge};

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
    pub(crate) fn register(r: &Registry) -> prometheus::Result<Figures> {
        Ok(Figures {
            split: counters(
                r,
                "split_total",
                "Requests of routes with a split, by route and the upstream chosen",
                &["route", "upstream"],
            )?,
            mirrored: counters(
                r,
                "mirrored_total",
                "Copies of requests, by route and outcome (sent, failed, busy, too_large, incomplete)",
                &["route", "outcome"],
            )?,
            compressed: counters(
                r,
                "compressed_total",
                "Answers compressed, by encoding; busy: left as they were because too many were being compressed",
                &["encoding"],
            )?,
            compression_bytes: counters(
                r,
                "compression_bytes_total",
                "Bytes of compressed answers, by encoding and side (before, after)",
                &["encoding", "side"],
            )?,
            compressing: gauge(r, "compressing", "Answers being compressed")?,
        })
    }
}
