//! The socket of an HTTP/1 client.
//!
//! A message with a fault is replaced by a request that cannot be confused with a real one; the service finds the
//! fault in [`Client`] and refuses it as any other, with a problem document and a log line.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::rt::{Read, ReadBufCursor, Write};
use portcullis_config::plan::Timeouts;
use portcullis_syntax::wire::{Fault, FaultKind, Framing, Progress};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::linger::Linger;
use super::{Client, Io, Writes};
use crate::ground::scratch;

/// What stands in for a message that was refused on the wire.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";
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
    timer: Pin<Box<Sleep>>,
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
            timer: Box::pin(tokio::time::sleep(timeouts.head)),
            head_began: Some(now),
            last_read: now,
            writes: Writes::new(timeouts.idle),
            linger: None,
        }
    }

    /// Checks `bytes`, puts what may go on into hyper's buffer, keeps the rest.
    fn take(&mut self, bytes: &[u8], out: &mut ReadBufCursor<'_>) {
        let bytes = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(bytes);
            &std::mem::take(&mut self.held)
        };
        let passed = match self.framing.read(bytes) {
            Progress::Pass => bytes.len(),
            Progress::Partial(from) => {
                self.held = bytes[from..].to_vec();
                if from > 0 || self.head_began.is_none() {
                    self.head_began = Some(Instant::now());
                }
                self.give(&bytes[..from], out);
                return;
            }
            Progress::Bad {
                from,
                in_head,
                fault,
            } => {
                self.give(&bytes[..from], out);
                self.refuse(fault, in_head, out);
                return;
            }
        };
        self.head_began = None;
        self.give(&bytes[..passed], out);
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

    fn read_scratch(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        let raw = self.client.raw.load(Ordering::Relaxed);
        scratch::with(|scratch| {
            let room = out.remaining().clamp(1, scratch.len());
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

    /// Ready when this connection has been silent for too long. Re-arms itself lazily: activity only moves a
    /// timestamp.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Overdue> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let (overdue, deadline) = self.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(overdue);
            }
            self.timer.as_mut().reset(deadline.into());
        }
    }

    fn deadline(&self) -> (Overdue, Instant) {
        if self.client.raw.load(Ordering::Relaxed) {
            // A tunnel has its own clock.
            return (Overdue::Idle, Instant::now() + self.timeouts.idle);
        }
        if let Some(began) = self.head_began {
            return (Overdue::Head, began + self.timeouts.head);
        }
        if !self.framing.is_idle() {
            return (
                Overdue::Body,
                self.last_read.max(self.writes.last) + self.timeouts.idle,
            );
        }
        if self.client.is_idle() {
            return (
                Overdue::Idle,
                self.last_read.max(self.writes.last) + self.timeouts.keep_alive,
            );
        }
        (
            Overdue::Idle,
            Instant::now() + self.timeouts.idle.min(self.timeouts.keep_alive),
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overdue {
    Head,
    Body,
    Idle,
}

fn timed_out(message: u64, detail: &'static str) -> Fault {
    Fault {
        message,
        kind: FaultKind::TimedOut,
        detail,
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
                let n = this.ready.len().min(out.remaining());
                out.put_slice(&this.ready[..n]);
                this.ready.drain(..n);
            }
            if out.remaining() < room {
                return Poll::Ready(Ok(()));
            }
            match this.end {
                End::Silent => return Poll::Pending,
                End::Error => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                End::No => {}
            }
            match this.read_scratch(cx, &mut out)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => this.last_read = Instant::now(),
                Poll::Pending => match ready!(this.poll_overdue(cx)) {
                    Overdue::Head if this.held.is_empty() => return Poll::Ready(Ok(())),
                    Overdue::Head => {
                        let message = this.client.begun.load(Ordering::Relaxed) + 1;
                        let detail = "the request head took too long to arrive";
                        this.refuse(timed_out(message, detail), true, &mut out);
                    }
                    Overdue::Body => {
                        let message = this.client.begun.load(Ordering::Relaxed);
                        let detail = "the request body took too long to arrive";
                        this.refuse(timed_out(message, detail), false, &mut out);
                    }
                    Overdue::Idle => return Poll::Ready(Ok(())),
                },
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
        let done = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.writes.wrote(done, &mut this.timer, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.io).poll_write_vectored(cx, parts);
        this.writes.wrote(done, &mut this.timer, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
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
            this.linger = Some(Linger::begin(&mut this.timer));
        }
        let linger = this.linger.as_mut();
        linger.map_or(Poll::Ready(Ok(())), |linger| {
            linger.poll(&mut this.io, &mut this.timer, cx)
        })
    }
}
