//! What a guest has used in one call.

use std::time::Duration;

use portcullis_exchange::Cost;

use crate::engine::turns::Long;

/// What a guest has used in this call; the memory, in its life.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) host_calls: u32,
    pub(crate) outbound_calls: u32,
    /// Ticks of the engine's clock that the guest ran.
    pub(crate) ticks: u32,
    /// There once it has run for more than a tick.
    pub(crate) long: Option<Long>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) log_bytes: u32,
    pub(crate) dropped_log_bytes: u64,
    pub(crate) peak_memory: usize,
    /// What the host computed for it, at the prices of the host.
    pub(crate) host_work: Duration,
}

/// Raised when the guest, or the host for it, has run for too long.
#[derive(Debug, thiserror::Error)]
#[error("out of time")]
pub(crate) struct Overrun;

impl Meter {
    /// What the call cost, but for the time on a thread, which is measured outside.
    pub(crate) fn cost(&self) -> Cost {
        Cost {
            cpu: Duration::ZERO,
            memory: self.peak_memory,
            host_calls: self.host_calls,
            outbound_calls: self.outbound_calls,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        }
    }
}
