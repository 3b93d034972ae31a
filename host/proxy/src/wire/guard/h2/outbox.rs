//! What goes out to an HTTP/2 client, gathered.
//!
//! h2 writes each DATA frame by itself and flushes in between. Over TLS that is a record and a system call for each,
//! although many streams may have something to say in one turn.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::wire::guard::{Alarm, Io, Writes};

/// Bytes that are to be sent.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// Of them, how many are sent.
    sent: usize,
}

/// As much as one TLS record holds (RFC 8446 section 5.1).
const FULL: usize = 16 * 1024;
/// So much at once need not be gathered, which would be a copy of it.
const LARGE: usize = 8 * 1024;

// === impl Outbox ===

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox {
            bytes: Vec::new(),
            sent: 0,
        }
    }

    /// Takes some of `parts`, or sends it; how many bytes of it.
    pub(super) fn poll_put<S: Io>(
        &mut self,
        parts: &[IoSlice<'_>],
        io: &mut S,
        (writes, alarm): (&mut Writes, &mut Alarm),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.len() >= FULL {
            ready!(self.poll_send(io, (&mut *writes, &mut *alarm), cx))?;
        }
        if self.bytes.is_empty() && parts.iter().map(|part| part.len()).sum::<usize>() >= LARGE {
            let done = Pin::new(io).poll_write_vectored(cx, parts);
            return writes.wrote(done, alarm, cx);
        }
        let before = self.bytes.len();
        for part in parts {
            let room = FULL - self.bytes.len();
            self.bytes.extend_from_slice(&part[..part.len().min(room)]);
        }
        Poll::Ready(Ok(self.bytes.len() - before))
    }

    /// Sends everything.
    pub(super) fn poll_send<S: Io>(
        &mut self,
        io: &mut S,
        (writes, alarm): (&mut Writes, &mut Alarm),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let done = Pin::new(&mut *io).poll_write(cx, &self.bytes[self.sent..]);
            match ready!(writes.wrote(done, alarm, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        if writes.unflushed {
            let done = Pin::new(io).poll_flush(cx);
            return writes.flushed(done);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives back the memory of an outbox that is empty.
    pub(super) fn shrink(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}
