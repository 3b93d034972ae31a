//! The phases of a filter: its callbacks, and which of them it wants.

use portcullis_exchange::{Side, What};

use crate::guest::contract::types;

/// One callback of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterPhase {
    Request,
    RequestBody,
    Response,
    ResponseBody,
}

/// Which callbacks of a filter are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    pub request: bool,
    pub request_body: bool,
    pub response: bool,
    pub response_body: bool,
}

// === impl FilterPhase ===

impl FilterPhase {
    pub(crate) fn side(self) -> Side {
        match self {
            FilterPhase::Request | FilterPhase::RequestBody => Side::Request,
            FilterPhase::Response | FilterPhase::ResponseBody => Side::Response,
        }
    }

    pub(crate) fn what(self) -> What {
        match self {
            FilterPhase::Request => What::Request,
            FilterPhase::RequestBody => What::RequestBody,
            FilterPhase::Response => What::Response,
            FilterPhase::ResponseBody => What::ResponseBody,
        }
    }
}

// === impl Phases ===

impl Phases {
    /// Whether a later callback of the same exchange is entered too.
    pub(crate) fn any_after(self, phase: FilterPhase) -> bool {
        match phase {
            FilterPhase::Request => self.request_body || self.response || self.response_body,
            FilterPhase::RequestBody => self.response || self.response_body,
            FilterPhase::Response => self.response_body,
            FilterPhase::ResponseBody => false,
        }
    }
}

impl From<types::Phases> for Phases {
    fn from(flags: types::Phases) -> Phases {
        Phases {
            request: flags.contains(types::Phases::REQUEST),
            request_body: flags.contains(types::Phases::REQUEST_BODY),
            response: flags.contains(types::Phases::RESPONSE),
            response_body: flags.contains(types::Phases::RESPONSE_BODY),
        }
    }
}
