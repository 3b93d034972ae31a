//! Connections to servers: the seam between sending and the engine that sends. One connection, one request at a time:
//! [`Connection::open`], then [`Connection::send`].
//!
//! HTTP/1.1 is in `exclusive.rs`, HTTP/2 in `multiplexed.rs`. Both are hyper's.

mod exclusive;
mod multiplexed;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossbeam_queue::ArrayQueue;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use portcullis_config::plan::Protocol;

pub(crate) use self::exclusive::Exclusive;
use self::exclusive::Upgradable;
use self::multiplexed::{Claim, Streams};
use crate::upstreams::request_body::RequestBody;
use crate::wire::tls::Dial;

/// What one exchange has of a connection.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the common one; a box would cost every request"
)]
pub(crate) enum Connection {
    /// HTTP/1.1: all of it.
    Own(Exclusive),
    /// HTTP/2: one stream.
    Shared(Claim),
    /// HTTP/1.1, for one request that may switch protocols.
    Upgradable(Upgradable),
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

/// Connections of one worker to one server: its own, because a socket belongs to its reactor.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: ArrayQueue<Exclusive>,
    streams: Streams,
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Not a byte of the request was sent, or the server says that it did nothing with it; it may go elsewhere.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before the response began.
    Closed(hyper::Error),
    /// The server sent something that is not HTTP, or ended this one request.
    Broken(hyper::Error),
}

// === impl SendError ===

impl SendError {
    fn of(mut error: TrySendError<Request<RequestBody>>) -> SendError {
        match error.take_message() {
            Some(request) => SendError::Unsent(Box::new(request)),
            None => {
                let error = error.into_error();
                if error.is_parse() {
                    SendError::Broken(error)
                } else {
                    SendError::Closed(error)
                }
            }
        }
    }
}

// === impl Connection ===

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Connection::Own(_) => "Own",
            Connection::Shared(_) => "Shared",
            Connection::Upgradable(_) => "Upgradable",
        })
    }
}

impl Connection {
    /// A new connection, or a stream of one that became free meanwhile. `pool`: where streams are shared.
    pub(crate) async fn open(to: Destination<'_>, pool: Option<&Pool>) -> io::Result<Connection> {
        match (to.dial.protocol(), pool) {
            (Protocol::Http2 | Protocol::Negotiated, Some(pool)) => pool.streams.open(to).await,
            _ => {
                let stream = to.dial.http1(to.address, to.host).await?;
                Exclusive::over(stream).await.map(Connection::Own)
            }
        }
    }

    /// A new connection for a request that may switch protocols: HTTP/1.1, whatever else the server may speak.
    pub(crate) async fn open_upgradable(to: Destination<'_>) -> io::Result<Connection> {
        let stream = to.dial.http1(to.address, to.host).await?;
        Upgradable::over(stream).await.map(Connection::Upgradable)
    }

    /// Whether it was opened for this exchange.
    pub(crate) fn is_new(&self) -> bool {
        match self {
            Connection::Own(_) | Connection::Upgradable(_) => true,
            Connection::Shared(claim) => claim.is_first(),
        }
    }

    /// Sends one request and waits for the head of its response. The body must be read with this connection at hand,
    /// which [`Connection::poll_driver`] drives on.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        match self {
            Connection::Own(connection) => connection.send(request).await,
            Connection::Shared(claim) => claim.send(request).await,
            Connection::Upgradable(connection) => connection.send(request).await,
        }
    }

    /// Drives the connection on, where its exchange has to. Ready: it has ended.
    pub(crate) fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Connection::Own(connection) => connection.poll_driver(cx),
            Connection::Shared(_) | Connection::Upgradable(_) => Poll::Pending,
        }
    }

    /// What can be kept for another exchange.
    pub(crate) fn into_idle(self) -> Option<Exclusive> {
        match self {
            Connection::Own(connection) => connection.into_idle(),
            Connection::Shared(_) | Connection::Upgradable(_) => None,
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
    pub(crate) fn reuse(&self) -> Option<Connection> {
        if let Some(claim) = self.streams.claim() {
            return Some(Connection::Shared(claim));
        }
        std::iter::from_fn(|| self.idle.pop())
            .find_map(|mut idle| idle.is_usable().then_some(Connection::Own(idle)))
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
    pub(crate) fn keep(&self, connection: Exclusive) {
        drop(self.idle.push(connection));
    }
}
