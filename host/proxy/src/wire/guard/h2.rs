//! The socket of an HTTP/2 client, as hyper sees it: frames that were looked at, bounded in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use parking_lot::Mutex;
use portcullis_config::plan::{Plan, Timeouts, WebSocketPlan};
use tokio::io::ReadBuf;

use super::{Alarm, Client, Io, Writes};
use crate::ground::scratch;
use crate::wire::h2wire::{Frames, Sent};

mod outbox;

use outbox::Outbox;

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
pub(crate) struct GuardedH2<S>(Arc<Mutex<Socket<S>>>);

/// Sends what hyper wrote. It is asked after each turn of hyper, whose own flushes do nothing.
pub(crate) struct Flush<S>(Arc<Mutex<Socket<S>>>);

struct Socket<S> {
    io: S,
    outbox: Outbox,
    frames: Frames,
    sent: Sent,
    client: Arc<Client>,
    timeouts: Timeouts,
    stall: Silence,
    alarm: Alarm,
    /// Since when the preface, or a header block, is not complete.
    head_began: Option<Instant>,
    /// Since when no exchange goes on.
    idle_since: Option<Instant>,
    /// When a message last went on, in either direction. PING is no sign of life: a client that never opens its
    /// window answers it too, while what it asked for is held for it.
    moved: Instant,
    writes: Writes,
}

// === impl GuardedH2 ===

impl<S: Io> GuardedH2<S> {
    pub(crate) fn new(
        io: S,
        client: Arc<Client>,
        timeouts: Timeouts,
        stall: Silence,
        max_block: usize,
    ) -> (GuardedH2<S>, Flush<S>) {
        let now = Instant::now();
        let socket = Arc::new(Mutex::new(Socket {
            io,
            outbox: Outbox::new(),
            frames: Frames::new(max_block),
            sent: Sent::default(),
            client,
            timeouts,
            stall,
            alarm: Alarm::at(now + timeouts.head),
            head_began: Some(now),
            idle_since: Some(now),
            moved: now,
            writes: Writes::new(timeouts.idle),
        }));
        (GuardedH2(socket.clone()), Flush(socket))
    }
}

impl<S: Io> Read for GuardedH2<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.lock().poll_read(cx, out)
    }
}

impl<S: Io> Write for GuardedH2<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_write(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.0.lock();
        ready!(socket.poll_send(cx))?;
        Pin::new(&mut socket.io).poll_shutdown(cx)
    }
}

// === impl Flush ===

impl<S: Io> Flush<S> {
    /// Ready when everything is sent.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.0.lock();
        ready!(socket.poll_send(cx))?;
        if socket.client.is_idle() {
            socket.outbox.shrink();
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Socket ===

impl<S: Io> Socket<S> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = scratch::with(|scratch| {
            let room = out.remaining().clamp(1, scratch.len());
            let mut buffer = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
            if let Err(fault) = self.frames.read(buffer.filled()) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
            }
            if self.frames.moved() {
                self.moved = Instant::now();
            }
            out.put_slice(buffer.filled());
            Poll::Ready(Ok(()))
        });
        if read.is_ready() {
            return read;
        }
        // Nothing more is read: h2 sees the end of the connection.
        self.poll_overdue(cx).map(Ok)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bounds = (&mut self.writes, &mut self.alarm);
        let taken = ready!(self.outbox.poll_put(parts, &mut self.io, bounds, cx))?;
        let mut left = taken;
        for part in parts {
            let n = left.min(part.len());
            if self.sent.read(&part[..n]) {
                self.moved = Instant::now();
            }
            left -= n;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let bounds = (&mut self.writes, &mut self.alarm);
        self.outbox.poll_send(&mut self.io, bounds, cx)
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
            ready!(self.alarm.poll(cx));
            let deadline = match (self.head_began, self.idle_since) {
                (Some(began), _) => began + self.timeouts.head,
                (None, Some(since)) => since + self.timeouts.keep_alive,
                (None, None) if self.client.has_tunnels() => self.moved + self.stall.tunnel,
                (None, None) => self.moved + self.stall.exchange,
            };
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.set(deadline);
        }
    }
}
