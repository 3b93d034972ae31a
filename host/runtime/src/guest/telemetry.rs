//! `telemetry` and `clock` of the contract.

use wasmtime::Result;

use crate::guest::contract::{clock, telemetry};
use crate::guest::session::Session;
use crate::text::printable;

/// Bytes per log line.
const MAX_LOG_LINE: usize = 1024;

impl Session {
    pub(crate) fn log(
        &mut self,
        level: telemetry::Level,
        message: &str,
        fields: &[(String, String)],
    ) {
        let mut line = printable(message, MAX_LOG_LINE);
        for (key, value) in fields.iter().take(16) {
            line.push_str(&format!(
                " {}={}",
                printable(key, 64),
                printable(value, 256)
            ));
        }
        let granted = self.spec.grants.log;
        let bytes = u32::try_from(line.len()).unwrap_or(u32::MAX);
        if self.meter.log_bytes.saturating_add(bytes) > granted {
            // The bill says how much is missing; a line about each would be the flood itself.
            self.meter.dropped_log_bytes += u64::from(bytes);
            return;
        }
        self.meter.log_bytes += bytes;
        let (plugin, request_id) = (&*self.spec.name, &*self.exchange.request_id);
        match level {
            telemetry::Level::Error => tracing::error!(plugin, request_id, "{line}"),
            telemetry::Level::Warn => tracing::warn!(plugin, request_id, "{line}"),
            telemetry::Level::Info => tracing::info!(plugin, request_id, "{line}"),
            telemetry::Level::Debug => tracing::debug!(plugin, request_id, "{line}"),
            telemetry::Level::Trace => tracing::trace!(plugin, request_id, "{line}"),
        }
    }
}

impl telemetry::Host for Session {
    fn enabled(&mut self, level: telemetry::Level) -> Result<bool> {
        self.count()?;
        if self.spec.grants.log == 0 {
            return Ok(false);
        }
        Ok(match level {
            telemetry::Level::Error => tracing::enabled!(tracing::Level::ERROR),
            telemetry::Level::Warn => tracing::enabled!(tracing::Level::WARN),
            telemetry::Level::Info => tracing::enabled!(tracing::Level::INFO),
            telemetry::Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
            telemetry::Level::Trace => tracing::enabled!(tracing::Level::TRACE),
        })
    }

    fn log(
        &mut self,
        level: telemetry::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        self.count()?;
        self.copy_out(message.len())?;
        Session::log(self, level, &message, &fields);
        Ok(())
    }
}

impl clock::Host for Session {
    fn now_ms(&mut self) -> Result<u64> {
        Ok(self.count()?.now_ms)
    }

    fn monotonic_ns(&mut self) -> Result<u64> {
        self.count()?;
        // From the start of the call: enough to measure with, nothing to fingerprint the host with.
        Ok(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn remaining_ms(&mut self) -> Result<u32> {
        self.count()?;
        Ok(u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX))
    }
}
