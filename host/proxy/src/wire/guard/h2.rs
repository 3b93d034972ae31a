//! The socket of an HTTP/2 client, as hyper sees it: frames that were looked at, bounded in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use portcullis_config::plan::{Plan, Timeouts, WebSocketPlan};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use super::{Client, Io, Writes};
use crate::ground::scratch;
use crate::wire::h2wire::{Frames, Sent};

/// How long a connection on which something goes on may carry no message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    /// The longest that an exchange may last.
    pub(crate) exchange: Duration,
    /// Where WebSockets are among them: the longest that one may be silent.
    pub(crate) tunnel: Duration,
}

impl Silence {
    /// As the time-outs of a plan allow it.
    pub(crate) fn of(plan: &Plan) -> Silence {
        let upstreams = plan.upstream.values().map(|upstream| upstream.timeouts);
        let all = upstreams.chain([plan.timeouts]);
        let exchanges = all.map(|timeouts| timeouts.idle.max(timeouts.total));
        let sockets = plan.routes.iter().map(|route| {
            let WebSocketPlan {
                ping, pong, idle, ..
            } = route.websocket;
            ping.map_or(idle, |ping| ping + pong)
        });
        let exchange = exchanges.max().unwrap_or(plan.timeouts.total);
        Silence {
            exchange,
            tunnel: sockets.fold(exchange, Duration::max),
        }
    }
}

/// An HTTP/2 client's connection under hyper, bounded in time: h2 itself waits for ever.
pub(crate) struct GuardedH2<S> {
    io: S,
    frames: Frames,
    sent: Sent,
    client: Arc<Client>,
    timeouts: Timeouts,
    stall: Silence,
    timer: Pin<Box<Sleep>>,
    /// Since when the preface, or a header block, is not complete.
    head_began: Option<Instant>,
    /// Since when no exchange goes on.
    idle_since: Option<Instant>,
    /// When a message last went on, in either direction. PING is no sign of life: a client that never opens its
    /// window answers it too, while what it asked for is held for it.
    moved: Instant,
    writes: Writes,
}

impl<S: Io> GuardedH2<S> {
    pub(crate) fn new(
        io: S,
        client: Arc<Client>,
        timeouts: Timeouts,
        stall: Silence,
        max_block: usize,
    ) -> GuardedH2<S> {
        let now = Instant::now();
        GuardedH2 {
            io,
            frames: Frames::new(max_block),
            sent: Sent::default(),
            client,
            timeouts,
            stall,
            timer: Box::pin(tokio::time::sleep(timeouts.head)),
            head_began: Some(now),
            idle_since: Some(now),
            moved: now,
            writes: Writes::new(timeouts.idle),
        }
    }

    /// Ready when nothing more is waited for. Re-arms itself lazily, as the guard of HTTP/1 does.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.head_began = if self.frames.is_in_head() {
            self.head_began.or(Some(now))
        } else {
            None
        };
        self.idle_since = if self.client.is_idle() {
            self.idle_since.or(Some(now))
        } else {
            None
        };
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let deadline = match (self.head_began, self.idle_since) {
                (Some(began), _) => began + self.timeouts.head,
                (None, Some(since)) => since + self.timeouts.keep_alive,
                (None, None) if self.client.has_tunnels() => self.moved + self.stall.tunnel,
                (None, None) => self.moved + self.stall.exchange,
            };
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline.into());
        }
    }

    fn follow(&mut self, written: &[u8]) {
        if self.sent.read(written) {
            self.moved = Instant::now();
        }
    }
}

impl<S: Io> Read for GuardedH2<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = scratch::with(|scratch| {
            let room = out.remaining().clamp(1, scratch.len());
            let mut buffer = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut buffer))?;
            if let Err(fault) = this.frames.read(buffer.filled()) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
            }
            if this.frames.moved() {
                this.moved = Instant::now();
            }
            out.put_slice(buffer.filled());
            Poll::Ready(Ok(()))
        });
        if read.is_ready() {
            return read;
        }
        // Nothing more is read: h2 sees the end of the connection.
        this.poll_overdue(cx).map(Ok)
    }
}

impl<S: Io> Write for GuardedH2<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(n)) = done {
            this.follow(&bytes[..n.min(bytes.len())]);
        }
        this.writes.wrote(done, &mut this.timer, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let done = Pin::new(&mut this.io).poll_write_vectored(cx, parts);
        if let Poll::Ready(Ok(mut left)) = done {
            for part in parts {
                let n = left.min(part.len());
                this.follow(&part[..n]);
                left -= n;
            }
        }
        this.writes.wrote(done, &mut this.timer, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
