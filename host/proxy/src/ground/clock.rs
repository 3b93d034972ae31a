//! The clock on the wall.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now. A clock that was never set is at its beginning.
pub(crate) fn since_1970() -> Duration {
    after_1970(SystemTime::now())
}

fn after_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time in milliseconds since 1970.
pub(crate) fn ms_since_1970(time: SystemTime) -> u64 {
    u64::try_from(after_1970(time).as_millis()).unwrap_or(u64::MAX)
}

/// A duration in nanoseconds; the largest number where it is too long.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
