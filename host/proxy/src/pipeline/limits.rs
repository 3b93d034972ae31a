//! The limits of a route, asked for an exchange: what they say is kept for the response, and for the log.

use portcullis_exchange::Exchange;

use super::leave::Leaving;
use super::route::Route;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::stages::limits::{WithinAddressLimits, WithinCallerLimits};

/// Those that need no caller, before authentication.
pub(super) async fn by_address(
    route: &Route,
    x: &Exchange,
    leaving: &mut Leaving,
    journal: &mut Journal,
) -> Result<WithinAddressLimits, Refusal> {
    let (limited, noted) = (&mut leaving.limited, &mut journal.record.limit);
    route.limits.by_address(x, limited, noted).await
}

/// Those that count callers, after authorization.
pub(super) async fn by_caller(
    route: &Route,
    x: &Exchange,
    leaving: &mut Leaving,
    journal: &mut Journal,
) -> Result<WithinCallerLimits, Refusal> {
    let (limited, noted) = (&mut leaving.limited, &mut journal.record.limit);
    route.limits.by_caller(x, limited, noted).await
}
