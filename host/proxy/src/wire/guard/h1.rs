//! The socket of an HTTP/1 client.
//!
//! A message with a fault is replaced by a request that cannot be confused with a real one; the service finds the
//! fault in [`Client`] and refuses it as any other, with a problem document and a log line.
//!
//! Between two requests a connection needs no hyper: [`Guarded::poll_request`] waits for the next head, and hyper is
//! built for it. [`Client::rest`] says when hyper may be dropped again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::rt::{Read, ReadBuf as HyperBuf, ReadBufCursor, Write};
use portcullis_config::plan::Timeouts;
use portcullis_syntax::wire::{Fault, FaultKind, Framing, Progress};
use tokio::io::ReadBuf;

use super::linger::Linger;
use super::{Alarm, Client, Io, Rest, Writes};
use crate::ground::scratch;

mod overdue;

use overdue::Overdue;

/// What stands in for a message that was refused on the wire.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
/// What is read at most before there is a hyper, whose buffer is as large.
const FIRST_READ: usize = 8 * 1024;

/// A client's connection under hyper.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    io: S,
    client: Arc<Client>,
    framing: Framing,
    timeouts: Timeouts,
    /// A head that is not complete.
    held: Vec<u8>,
    /// Checked bytes that did not fit hyper's buffer.
    ready: Vec<u8>,
    end: End,
    /// There is no hyper above.
    parked: bool,
    alarm: Alarm,
    head_began: Option<Instant>,
    last_read: Instant,
    writes: Writes,
    linger: Option<Linger>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    /// After `ready`, silence: the exchange in flight answers and closes.
    Silent,
    /// After `ready`, an error: the body in flight is bad.
    Error,
}

// === impl Guarded ===

impl<S: Io> Guarded<S> {
    pub(crate) fn new(
        io: S,
        client: Arc<Client>,
        timeouts: Timeouts,
        max_head: usize,
    ) -> Guarded<S> {
        let now = Instant::now();
        Guarded {
            io,
            client,
            framing: Framing::new(max_head),
            timeouts,
            held: Vec::new(),
            ready: Vec::new(),
            end: End::No,
            parked: true,
            alarm: Alarm::at(now + timeouts.head),
            head_began: Some(now),
            last_read: now,
            writes: Writes::new(timeouts.idle),
            linger: None,
        }
    }

    /// Waits, without hyper, for a head that hyper is to see. False: the connection is over.
    pub(crate) fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut nowhere = HyperBuf::new(&mut []);
        while self.ready.is_empty() {
            if !ready!(self.poll_more(cx, &mut nowhere.unfilled()))? {
                return Poll::Ready(Ok(false));
            }
        }
        self.wake();
        Poll::Ready(Ok(true))
    }

    /// Goes on without hyper, which had read `left` and made nothing of it yet. None: that was more than empty lines,
    /// which may stand before a request (RFC 9112 section 2.2).
    pub(crate) fn park(&mut self, left: &[u8]) -> Option<()> {
        if !left.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            return None;
        }
        self.parked = true;
        self.ready = Vec::new();
        Some(())
    }

    /// Checks `bytes`, puts what may go on into hyper's buffer, keeps the rest.
    fn take(&mut self, bytes: &[u8], out: &mut ReadBufCursor<'_>) {
        let bytes = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(bytes);
            &std::mem::take(&mut self.held)
        };
        match self.framing.read(bytes) {
            Progress::Pass => {
                self.head_began = None;
                self.give(bytes, out);
            }
            Progress::Partial(from) => {
                self.held = bytes[from..].to_vec();
                if from > 0 || self.head_began.is_none() {
                    let now = Instant::now();
                    self.head_began = Some(now);
                    // The alarm may be set for the end of a long silence.
                    self.alarm.bring_forward(now + self.timeouts.head);
                }
                self.give(&bytes[..from], out);
            }
            Progress::Bad {
                from,
                in_head,
                fault,
            } => {
                self.give(&bytes[..from], out);
                self.refuse(fault, in_head, out);
            }
        }
    }

    fn give(&mut self, bytes: &[u8], out: &mut ReadBufCursor<'_>) {
        let now = if self.ready.is_empty() {
            bytes.len().min(out.remaining())
        } else {
            0
        };
        out.put_slice(&bytes[..now]);
        self.ready.extend_from_slice(&bytes[now..]);
    }

    fn give_ready(&mut self, out: &mut ReadBufCursor<'_>) {
        let n = self.ready.len().min(out.remaining());
        out.put_slice(&self.ready[..n]);
        if n < self.ready.len() {
            self.ready.drain(..n);
        } else {
            self.ready = Vec::new();
        }
    }

    fn refuse(&mut self, fault: Fault, in_head: bool, out: &mut ReadBufCursor<'_>) {
        // Only the first fault counts; after it nothing more is read.
        let _ = self.client.fault.set(fault);
        self.held = Vec::new();
        if in_head {
            self.give(STAND_IN, out);
            self.end = End::Silent;
        } else {
            self.end = End::Error;
        }
    }

    /// Reads on. False: nothing more comes.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<bool>> {
        match self.end {
            End::Silent => return Poll::Pending,
            End::Error => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            End::No => {}
        }
        match self.read_scratch(cx, out)? {
            Poll::Ready(0) => return Poll::Ready(Ok(false)),
            Poll::Ready(_) => {
                self.last_read = Instant::now();
                return Poll::Ready(Ok(true));
            }
            Poll::Pending => {}
        }
        let (message, detail, in_head) = match ready!(self.poll_overdue(cx)) {
            Overdue::Idle => return Poll::Ready(Ok(false)),
            Overdue::Head if self.held.is_empty() => return Poll::Ready(Ok(false)),
            Overdue::Head => (1, "the request head took too long to arrive", true),
            Overdue::Body => (0, "the request body took too long to arrive", false),
        };
        let fault = Fault {
            message: self.client.begun.load(Ordering::Relaxed) + message,
            kind: FaultKind::TimedOut,
            detail,
        };
        self.refuse(fault, in_head, out);
        Poll::Ready(Ok(true))
    }

    fn read_scratch(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        let raw = self.client.raw.load(Ordering::Relaxed);
        scratch::with(|scratch| {
            let room = if self.parked {
                FIRST_READ
            } else {
                out.remaining().clamp(1, scratch.len())
            };
            let mut buffer = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            let bytes = buffer.filled();
            if raw {
                self.give(bytes, out);
            } else if !bytes.is_empty() {
                self.take(bytes, out);
            }
            Poll::Ready(Ok(bytes.len()))
        })
    }
}

impl<S: Io> Read for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = out.remaining();
        loop {
            if !this.ready.is_empty() {
                this.give_ready(&mut out);
            }
            if out.remaining() < room {
                return Poll::Ready(Ok(()));
            }
            match this.poll_more(cx, &mut out)? {
                Poll::Ready(true) => this.client.set_rest(Rest::No),
                Poll::Ready(false) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    this.note_rest();
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S: Io> Write for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.client.set_rest(Rest::No);
        let done = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.writes.wrote(done, &mut this.alarm, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.client.set_rest(Rest::No);
        let done = Pin::new(&mut this.io).poll_write_vectored(cx, parts);
        this.writes.wrote(done, &mut this.alarm, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.io).poll_flush(cx);
        this.writes.flushed(done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            let unread = this.client.fault.get().is_some() || !this.framing.is_idle();
            if !unread || this.client.raw.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            // Closing now, with bytes unread, would reset the connection and destroy the answer on its way.
            this.linger = Some(Linger::begin(&mut this.alarm));
        }
        let linger = this.linger.as_mut();
        linger.map_or(Poll::Ready(Ok(())), |linger| {
            linger.poll(&mut this.io, &mut this.alarm, cx)
        })
    }
}
