//! Connections to servers: the seam between sending and the engine that sends. One connection, one request at a time:
//! [`Connection::open`], [`Connection::send`], then [`Connection::poll_frame`] until the response has ended.
//!
//! HTTP/1.1 is in `exclusive.rs`, HTTP/2, which is hyper's, in `multiplexed.rs`.

mod exclusive;
mod multiplexed;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use http::header::HeaderValue;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use portcullis_config::plan::Protocol;

pub(crate) use self::exclusive::Exclusive;
use self::multiplexed::{Claim, Streams};
use crate::ground::alarm::LazyAlarm;
use crate::ground::body::BoxError;
use crate::upstreams::added::Added;
use crate::upstreams::patience::Patience;
use crate::upstreams::request_body::RequestBody;
use crate::wire::tls::{Dial, Stream};

/// What one exchange has of a connection.
pub(crate) enum Connection {
    /// HTTP/1.1: all of it.
    Own(Box<Exclusive>),
    /// HTTP/2: one stream.
    Shared(Box<Claim>),
}

/// Where a connection leads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) dial: &'a Dial,
    /// What is dialled.
    pub(crate) address: &'a str,
    /// What it is called, with the port.
    pub(crate) host: &'a str,
}

/// What is written of a request besides itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressee<'a> {
    pub(crate) host: &'a HeaderValue,
    pub(crate) added: Option<Added<'a>>,
}

/// Connections of one worker to one server: its own, because a socket belongs to its reactor.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: ArrayQueue<Box<Exclusive>>,
    streams: Streams,
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Not a byte of the request was sent, or the server says that it did nothing with it; all of it is still there
    /// and may go elsewhere.
    Unsent,
    /// The connection ended before the response began.
    Closed(BoxError),
    /// The head of the response did not come in time.
    Late,
    /// The server sent something that is not HTTP, or ended this one request.
    Broken(BoxError),
}

// === impl Connection ===

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Connection::Own(_) => "Own",
            Connection::Shared(_) => "Shared",
        })
    }
}

impl Connection {
    /// A new connection, or a stream of one that became free meanwhile. `pool`: where streams are shared.
    pub(crate) async fn open(to: Destination<'_>, pool: Option<&Pool>) -> io::Result<Connection> {
        match (to.dial.protocol(), pool) {
            (Protocol::Http2 | Protocol::Negotiated, Some(pool)) => pool.streams.open(to).await,
            _ => Connection::open_http1(to).await,
        }
    }

    /// A new connection for HTTP/1.1, whatever else the server may speak: its protocol can be switched.
    pub(crate) async fn open_http1(to: Destination<'_>) -> io::Result<Connection> {
        let stream = to.dial.http1(to.address, to.host).await?;
        Ok(Connection::Own(Exclusive::over(stream)))
    }

    /// Whether it was opened for this exchange.
    pub(crate) fn is_new(&self) -> bool {
        match self {
            Connection::Own(_) => true,
            Connection::Shared(claim) => claim.is_first(),
        }
    }

    /// Sends one request and waits for the head of its response. Afterwards `request` is as it was, but for a
    /// body that had to be taken out of it.
    pub(crate) async fn send(
        &mut self,
        request: &mut Request<RequestBody>,
        to: Addressee<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<Response<()>, SendError> {
        match self {
            Connection::Own(connection) => connection.send(request, to, patience).await,
            Connection::Shared(claim) => Box::pin(claim.send(request, to, patience)).await,
        }
    }

    /// The next part of the response.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Connection::Own(connection) => connection.poll_frame(cx),
            Connection::Shared(claim) => claim.poll_frame(cx),
        }
    }

    /// All of the payload, where it has come already.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        match self {
            Connection::Own(connection) => connection.whole(),
            Connection::Shared(_) => None,
        }
    }

    /// Nothing of the response is left to come.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Connection::Own(connection) => connection.has_ended(),
            Connection::Shared(claim) => claim.has_ended(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Connection::Own(connection) => connection.size_hint(),
            Connection::Shared(claim) => claim.size_hint(),
        }
    }

    /// The timer of the exchange that waits for it.
    pub(crate) fn alarm(&mut self) -> &mut LazyAlarm {
        match self {
            Connection::Own(connection) => &mut connection.alarm,
            Connection::Shared(claim) => &mut claim.alarm,
        }
    }

    /// What can be kept for another exchange.
    pub(crate) fn into_idle(self, now: Instant) -> Option<Box<Exclusive>> {
        match self {
            Connection::Own(mut connection) if connection.is_done() => {
                connection.rest(now);
                Some(connection)
            }
            Connection::Own(_) | Connection::Shared(_) => None,
        }
    }

    /// The bytes below, once the server has switched protocols, and what of it has come already.
    pub(crate) fn into_stream(self) -> Option<(Stream, Bytes)> {
        match self {
            Connection::Own(connection) => Some(connection.into_stream()),
            Connection::Shared(_) => None,
        }
    }
}

// === impl Pool ===

pub(crate) fn pools(workers: usize, size: usize) -> Arc<[Pool]> {
    let size = size.max(1);
    let pool = |_| Pool {
        idle: ArrayQueue::new(size),
        streams: Streams::new(size),
    };
    (0..workers).map(pool).collect()
}

impl Pool {
    /// A stream of an open connection, or an idle connection that is still open.
    pub(crate) fn reuse(&self, now: Instant) -> Option<Connection> {
        if let Some(claim) = self.streams.claim() {
            return Some(Connection::Shared(Box::new(claim)));
        }
        std::iter::from_fn(|| self.idle.pop())
            .find_map(|mut idle| idle.is_usable(now).then_some(Connection::Own(idle)))
    }

    /// Lets go of all that is open: what is idle closes now, streams end first.
    pub(crate) fn close(&self) {
        while self.idle.pop().is_some() {}
        self.streams.close();
    }

    /// Connections that are idle, and those of HTTP/2 with their streams.
    pub(crate) fn len(&self) -> usize {
        self.idle.len() + self.streams.len()
    }

    /// Keeps a connection for the next request. A full pool drops it, which closes it.
    pub(crate) fn keep(&self, connection: Box<Exclusive>) {
        drop(self.idle.push(connection));
    }
}
