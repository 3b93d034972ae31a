//! Audit: what was done to the gateway, by whom and how it went. One line of one shape each, under a target of its
//! own, and one count. Not for what clients do: that is the access log.

use crate::pipeline::metrics::Metrics;
pub use crate::pipeline::metrics::{Deed, Outcome};

/// The target of audit lines, which distinguishes them from the rest of the gateway's own log.
pub const TARGET: &str = "audit";

/// Something that was done, or refused, to the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    pub what: Deed,
    /// Who, as far as is known: a signal, a change of a file, the name of a token, the address of a peer.
    pub by: &'a str,
    pub outcome: Outcome,
    /// What it was done to or came to, in words. Never a secret.
    pub detail: &'a str,
}

impl Audit<'_> {
    /// Writes the line and counts it.
    pub fn note(&self, metrics: &Metrics) {
        let Audit {
            what,
            by,
            outcome,
            detail,
        } = self;
        metrics.audited(*what, *outcome);
        let (what, outcome) = (what.as_str(), outcome.as_str());
        tracing::info!(target: TARGET, audit = what, by, outcome, detail);
    }
}
