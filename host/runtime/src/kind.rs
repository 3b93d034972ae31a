//! The kinds of plugins.

use std::fmt;

/// The kinds of plugins: one world of the contract each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Authenticator,
    Authorizer,
    Filter,
    Handler,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [
        Kind::Authenticator,
        Kind::Authorizer,
        Kind::Filter,
        Kind::Handler,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Authenticator => "authenticator",
            Kind::Authorizer => "authorizer",
            Kind::Filter => "filter",
            Kind::Handler => "handler",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
