//! Everything that must be true before a handler runs or a request is forwarded, as one value.
//!
//! Its parts are made by the stages alone: leaving one of them out does not compile.

use portcullis_runtime::Exchange;

use crate::stages::edge::Entered;
use crate::stages::limits::{WithinAddressLimits, WithinCallerLimits};
use crate::stages::overload::TakenOn;
use crate::stages::permit::Permit;

/// Leave to answer one exchange.
#[derive(Debug)]
pub(crate) struct Clearance {
    permit: Permit,
}

impl Clearance {
    pub(crate) fn of(
        permit: Permit,
        _: Entered,
        _: TakenOn,
        _: WithinAddressLimits,
        _: WithinCallerLimits,
    ) -> Clearance {
        Clearance { permit }
    }

    /// Says what was authorized, where the exchange is another one by now.
    pub(crate) fn rewritten_from(&self, x: &Exchange) -> Option<String> {
        self.permit.rewritten_from(x)
    }
}
