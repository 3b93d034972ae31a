//! Everything that must be true before a handler runs or a request is forwarded, as one value.
//!
//! Its parts are made by the stages alone: leaving one of them out does not compile.

use portcullis_exchange::Exchange;

use crate::stages::edge::Entered;
use crate::stages::limits::{WithinAddressLimits, WithinCallerLimits};
use crate::stages::overload::TakenOn;
use crate::stages::permit::Permit;
use crate::upstreams::shield::{Place, Room};

/// What a request has to get past besides the plugins, in the order of the pipeline.
type Guards = (
    Entered,
    TakenOn,
    WithinAddressLimits,
    Room,
    WithinCallerLimits,
);

/// Leave to answer one exchange.
#[derive(Debug)]
pub(crate) struct Clearance {
    permit: Permit,
    room: Room,
}

impl Clearance {
    pub(crate) fn of(permit: Permit, (_, _, _, room, _): Guards) -> Clearance {
        Clearance { permit, room }
    }

    /// The place in the bulkhead of the route, to be held until the response has ended; None: it has none.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.room.take_place()
    }

    /// Says what was authorized, where the exchange is another one by now.
    pub(crate) fn rewritten_from(&self, x: &Exchange) -> Option<String> {
        self.permit.rewritten_from(x)
    }
}
