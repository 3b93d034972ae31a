//! The state of one instance: what the host remembers for its guest, and what the guest has used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_exchange::{Exchange, Side};
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, bail};
use wasmtime_wasi_io::streams::OutputStream;

use crate::guest::contract::types::Denied;
use crate::guest::crypto::LastKey;
use crate::guest::http::outgoing;
use crate::guest::meter::{Meter, Overrun};
use crate::guest::wasi::printed::Printed;
use crate::spec::Spec;
use crate::state::State;

const MAX_TABLE: usize = 10_000;
const MAX_RESOURCES: usize = 1_000;

pub(crate) struct Session {
    pub(crate) table: ResourceTable,
    pub(crate) spec: Arc<Spec>,
    pub(crate) state: Arc<dyn State>,
    pub(crate) exchange: Exchange,
    pub(crate) writable: Writable,
    /// When the instance began; its monotonic clock counts from there, so that it tells nothing of the host.
    pub(crate) born: Instant,
    pub(crate) started: Instant,
    pub(crate) meter: Meter,
    /// Set once the settings were taken; before, the time of configuring bounds the guest.
    pub(crate) configured: bool,
    /// It asked for random numbers. While configuring that rules out a snapshot: each copy would know the same.
    pub(crate) drew_random: bool,
    /// None: it never used `wasi:http`.
    pub(crate) http: Option<Box<outgoing::Context>>,
    /// What the guest printed and is not logged yet. None: it never opened stderr.
    pub(crate) printed: Option<Printed>,
    /// Ready to use. The secret is the guest's own, which lives as long. Boxed: fresh instances are moved about.
    pub(crate) last_hmac_key: Option<Box<LastKey>>,
}

/// What the phase may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writable {
    Nothing,
    /// Authenticators: request headers and the query, never the path.
    Query,
    Request,
    Response,
}

impl Session {
    pub(crate) fn new(spec: Arc<Spec>, state: Arc<dyn State>) -> Session {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let now = Instant::now();
        Session {
            table,
            spec,
            state,
            exchange: Exchange::default(),
            writable: Writable::Nothing,
            born: now,
            started: now,
            meter: Meter::default(),
            configured: false,
            drew_random: false,
            http: None,
            printed: None,
            last_hmac_key: None,
        }
    }

    /// Takes the exchange for one call and leaves an empty one in its place.
    pub(crate) fn begin(&mut self, exchange: &mut Exchange, writable: Writable, now: Instant) {
        std::mem::swap(&mut self.exchange, exchange);
        self.writable = writable;
        self.started = now;
        self.meter = Meter {
            peak_memory: self.meter.peak_memory,
            ..Meter::default()
        };
    }

    /// Wall time left of the call.
    pub(crate) fn remaining(&self) -> Duration {
        let budget = self.spec.budget.time;
        budget.saturating_sub(self.started.elapsed())
    }

    /// Counts a call of the host.
    pub(crate) fn count(&mut self) -> wasmtime::Result<&mut Exchange> {
        if self.tally() {
            return Ok(&mut self.exchange);
        }
        let limit = self.spec.budget.host_calls;
        bail!("it called the host more than {limit} times")
    }

    /// Counts a call of the host where no error can be raised: whether it may be.
    pub(crate) fn tally(&mut self) -> bool {
        self.meter.host_calls = self.meter.host_calls.saturating_add(1);
        self.meter.host_calls <= self.spec.budget.host_calls
    }

    /// Counts bytes that are copied into the guest.
    pub(crate) fn copy_in(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.meter.bytes_in += bytes as u64;
        let limit = self.spec.budget.bytes_in;
        if self.meter.bytes_in > limit {
            bail!("it read more than {limit} bytes from the host");
        }
        Ok(())
    }

    /// Counts bytes that the guest handed over.
    pub(crate) fn copy_out(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.meter.bytes_out += bytes as u64;
        let limit = self.spec.budget.bytes_out;
        if self.meter.bytes_out > limit {
            bail!("it handed more than {limit} bytes to the host");
        }
        Ok(())
    }

    /// Charges work that the host did at the guest's word. The ticks of the epoch see it too, but a tick late and only
    /// once per call of the host; so whichever of the two is longer bounds the call.
    pub(crate) fn charge(&mut self, work: Duration) -> wasmtime::Result<()> {
        self.meter.host_work += work;
        if self.configured && self.meter.host_work > self.spec.budget.cpu {
            return Err(Overrun.into());
        }
        Ok(())
    }

    pub(crate) fn may_write(&self, side: Side) -> Result<(), Denied> {
        let allowed = match side {
            Side::Request => matches!(self.writable, Writable::Query | Writable::Request),
            Side::Response => self.writable == Writable::Response,
        };
        if allowed {
            Ok(())
        } else {
            Err(Denied::Immutable)
        }
    }

    /// Opens a stream onto the page of what is printed.
    pub(crate) fn stderr(&mut self) -> impl OutputStream + use<> {
        let budget = &self.spec.budget;
        let page = self.printed.get_or_insert_default();
        page.stream(budget.host_calls, budget.bytes_out)
    }

    /// Prints `length` bytes, of which the first are `text`.
    pub(crate) fn print(&mut self, text: &[u8], length: usize) -> wasmtime::Result<()> {
        let budget = &self.spec.budget;
        let limits = (budget.host_calls, budget.bytes_out);
        let page = self.printed.get_or_insert_default();
        page.write(text, length, limits)
            .map_err(wasmtime::Error::msg)
    }

    /// Logs what was printed since the last time, as far as the log's grant has room, and at least `unasked` bytes
    /// of it. What is left out is counted.
    pub(crate) fn log_printed(&mut self, unasked: usize) {
        let Some(printed) = &self.printed else { return };
        let page = printed.take();
        if page.writes == 0 {
            return;
        }
        let meter = &mut self.meter;
        meter.host_calls = meter.host_calls.saturating_add(page.writes);
        meter.bytes_out += page.bytes;
        let granted = self.spec.grants.log.saturating_sub(meter.log_bytes);
        let room = usize::try_from(granted).unwrap_or(usize::MAX).max(unasked);
        let mut line = page.line();
        line.truncate(line.floor_char_boundary(room));
        let shown = u32::try_from(line.len()).unwrap_or(u32::MAX);
        meter.log_bytes = meter.log_bytes.saturating_add(shown);
        meter.dropped_log_bytes += page.bytes.saturating_sub(shown.into());
        if line.is_empty() {
            return;
        }
        let (plugin, request_id) = (&*self.spec.name, &*self.exchange.request_id);
        tracing::warn!(plugin, request_id, "printed: {line}");
    }
}

impl ResourceLimiter for Session {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.spec.budget.memory;
        if granted {
            self.meter.peak_memory = self.meter.peak_memory.max(desired);
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE)
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        2
    }
}
