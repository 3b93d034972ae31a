//! The clock on the wall.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now. A clock that was never set is at its beginning.
pub(crate) fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}
