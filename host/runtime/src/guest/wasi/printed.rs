//! What a guest prints: the text of a panic, mostly. One page per call for all its streams, logged when the call ends
//! and charged to the log like any line. What goes to stdout is dropped.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

use crate::text::printable;

/// Bytes that are held of what a call prints.
pub(crate) const PAGE: usize = 4096;
/// Bytes shown of what a guest printed before it was stopped, whatever it may log: the operator needs them.
pub(crate) const LAST_WORDS: usize = 1024;

/// The page that the streams of one instance share. The lock is the guest's own: only its calls take it.
#[derive(Clone, Default)]
pub(crate) struct Printed(Arc<Mutex<Page>>);

/// What was printed.
#[derive(Default)]
pub(crate) struct Page {
    text: Vec<u8>,
    /// All bytes, held or not.
    pub(crate) bytes: u64,
    pub(crate) writes: u32,
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

// === impl Printed ===

impl Printed {
    /// Opens a stream onto the page, which takes at most so many writes and bytes per call.
    pub(crate) fn stream(&self, writes: u32, bytes: u64) -> impl OutputStream + use<> {
        Stderr {
            page: self.clone(),
            writes,
            bytes,
        }
    }

    /// Takes `length` bytes, of which the first are `text`, unless the call has printed too much.
    pub(crate) fn write(
        &self,
        text: &[u8],
        length: usize,
        (writes, bytes): (u32, u64),
    ) -> Result<(), String> {
        let mut page = self.page();
        page.writes += 1;
        page.bytes += length as u64;
        if page.writes > writes || page.bytes > bytes {
            return Err(format!(
                "it printed more than {writes} times or {bytes} bytes"
            ));
        }
        let room = PAGE.saturating_sub(page.text.len()).min(text.len());
        page.text.extend_from_slice(&text[..room]);
        Ok(())
    }

    /// Takes the page; the next one is empty.
    pub(crate) fn take(&self) -> Page {
        std::mem::take(&mut *self.page())
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock()
    }
}

impl Page {
    /// The held text on one line.
    pub(crate) fn line(&self) -> String {
        printable(String::from_utf8_lossy(&self.text).trim_end(), PAGE)
    }
}

// === impl Stderr and Stdout ===

#[wasmtime_wasi_io::async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {}
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let limits = (self.writes, self.bytes);
        let written = self.page.write(&bytes, bytes.len(), limits);
        written.map_err(|said| StreamError::trap(&said))
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
