//! What can be done to a gateway, and how it ends: closed lists, because they are labels.

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
