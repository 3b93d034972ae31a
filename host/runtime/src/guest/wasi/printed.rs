//! What a guest prints: the text of a panic, mostly. One page per call for all its streams, told when the call ends
//! and charged to the log like any line; stdout goes nowhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

use crate::guest::session::Session;
use crate::text::printable;

/// Bytes that are held of what a call prints.
const PAGE: usize = 4096;
/// Bytes shown of what a guest printed before it was stopped, whatever it may log: the operator needs them.
pub(crate) const LAST_WORDS: usize = 1024;

/// The page that the streams of one instance share. The lock is the guest's own: only its calls take it.
#[derive(Clone)]
pub(crate) struct Printed(Arc<Mutex<Page>>);

#[derive(Default)]
struct Page {
    text: Vec<u8>,
    /// All bytes, held or not.
    bytes: u64,
    writes: u32,
}

/// A stream onto the page.
struct Stderr {
    page: Printed,
    /// Writes per call: as many as calls of the host.
    writes: u32,
    /// Bytes per call.
    bytes: u64,
}

/// A stream that forgets.
pub(super) struct Stdout;

impl Printed {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Opens a stream onto this session's page.
    pub(super) fn stderr(&mut self) -> impl OutputStream + use<> {
        let page = self.printed.get_or_insert_with(|| Printed(Arc::default()));
        Stderr {
            page: page.clone(),
            writes: self.spec.budget.host_calls,
            bytes: self.spec.budget.bytes_out,
        }
    }

    /// Logs what was printed since the last time, as far as the log's grant has room, and at least `unasked` bytes
    /// of it. What is left out is counted.
    pub(crate) fn tell_printed(&mut self, unasked: usize) {
        let Some(printed) = &self.printed else { return };
        let page = std::mem::take(&mut *printed.page());
        if page.writes == 0 {
            return;
        }
        let meter = &mut self.meter;
        meter.host_calls = meter.host_calls.saturating_add(page.writes);
        meter.bytes_out += page.bytes;
        let granted = self.spec.grants.log.saturating_sub(meter.log_bytes);
        let room = usize::try_from(granted).unwrap_or(usize::MAX).max(unasked);
        let mut line = printable(String::from_utf8_lossy(&page.text).trim_end(), PAGE);
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

#[wasmtime_wasi_io::async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {}
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut page = self.page.page();
        page.writes += 1;
        page.bytes += bytes.len() as u64;
        if page.writes > self.writes || page.bytes > self.bytes {
            let (writes, bytes) = (self.writes, self.bytes);
            let said = format!("it printed more than {writes} times or {bytes} bytes");
            return Err(StreamError::trap(&said));
        }
        let room = PAGE.saturating_sub(page.text.len()).min(bytes.len());
        page.text.extend_from_slice(&bytes[..room]);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PAGE)
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {}
}

impl OutputStream for Stdout {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PAGE)
    }
}
