//! Time, as the gateway tells it. A plugin has no clock of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wire;

/// When the exchange began. The same for all of its callbacks.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(wire::now_ms())
}

/// When the exchange began, in whole seconds since 1970.
pub fn unix_seconds() -> u64 {
    wire::now_ms() / 1_000
}

/// A clock that only goes forward, for measuring.
pub fn monotonic() -> Duration {
    Duration::from_nanos(wire::monotonic_ns())
}

/// What is left of this plugin's time for the call.
pub fn remaining() -> Duration {
    Duration::from_millis(u64::from(wire::remaining_ms()))
}
