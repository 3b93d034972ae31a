//! Audit: what was done to the gateway, by whom and how it went. One line of one shape each, under a target of its
//! own, and one count. Not for what clients do: that is the access log.

use crate::pipeline::metrics::Metrics;

/// The target of audit lines, by which they are told from the rest of the gateway's own log.
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

/// What can be done to a gateway. Closed: it is the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Configuration and plugins were read again.
    Reload,
    /// A new version of a plugin.
    Swap,
    /// Back to the version of a plugin before.
    Rollback,
    Purge,
    Drain,
    LogLevel,
    /// Any other call of the admin listener, and those that it turned away.
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// There was nothing to do.
    Unchanged,
    /// Not allowed, or not valid; nothing was changed.
    Refused,
    Failed,
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

impl Deed {
    pub(crate) const ALL: [Deed; 7] = [
        Deed::Reload,
        Deed::Swap,
        Deed::Rollback,
        Deed::Purge,
        Deed::Drain,
        Deed::LogLevel,
        Deed::Admin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Deed::Reload => "reload",
            Deed::Swap => "swap",
            Deed::Rollback => "rollback",
            Deed::Purge => "purge",
            Deed::Drain => "drain",
            Deed::LogLevel => "log_level",
            Deed::Admin => "admin",
        }
    }
}

impl Outcome {
    pub(crate) const ALL: [Outcome; 4] = [
        Outcome::Done,
        Outcome::Unchanged,
        Outcome::Refused,
        Outcome::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Unchanged => "unchanged",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }
}
