//! One connection to a server, driven by the exchange that uses it.
//!
//! hyper's client wants its connection polled somewhere. Spawning it costs two wake-ups a request; here the exchange
//! polls it beside its own future, so a request and its response run in one task. An idle connection is polled once
//! before it is used again: that is when a close by the server is seen. HTTP/2 is different: [`crate::upstreams::multiplexed`].

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portcullis_config::plan::Protocol;
use portcullis_runtime::Side;
use tokio::time::Sleep;

use crate::ground::trailers;
use crate::stages::body::{BoxError, RequestBody};
use crate::upstreams::multiplexed::{Claim, Streams};
use crate::upstreams::servers::{Server, Ticket};
use crate::wire::tls::Stream;

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
}

/// A connection that no other exchange uses.
pub(crate) struct Exclusive {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<Stream>, RequestBody>,
    idle_since: Instant,
}

/// Connections of one worker to one server: its own, because a socket belongs to its reactor.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: ArrayQueue<Exclusive>,
    streams: Streams,
}

/// Idle connections older than this are not trusted: servers close theirs after 5 to 75 s.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Why no response came.
#[derive(Debug)]
pub enum SendError {
    /// Not a byte of the request was sent, or the server says that it did nothing with it; it may go elsewhere.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before the response began.
    Closed(hyper::Error),
    /// The server sent something that is not HTTP, or ended this one request.
    Broken(hyper::Error),
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
    /// A new connection to the server of a ticket, or a stream of one that became free meanwhile.
    pub(crate) async fn open(ticket: &Ticket) -> io::Result<Connection> {
        let server = ticket.server();
        match (server.dial.protocol(), ticket.pool()) {
            (Protocol::Http2 | Protocol::Negotiated, Some(pool)) => pool.streams.open(server).await,
            _ => {
                let stream = server.dial.connect_http1(server).await?;
                Exclusive::over(stream).await.map(Connection::Own)
            }
        }
    }

    /// Whether it was opened for this exchange.
    pub(crate) fn is_new(&self) -> bool {
        match self {
            Connection::Own(_) => true,
            Connection::Shared(claim) => claim.is_first(),
        }
    }

    /// Sends one request and waits for the head of its response. The body must be read through
    /// [`UpstreamBody`], which drives this connection on.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        match self {
            Connection::Own(connection) => connection.send(request).await,
            Connection::Shared(claim) => claim.send(request).await,
        }
    }
}

// === impl Exclusive ===

impl std::fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exclusive")
    }
}

impl Exclusive {
    pub(crate) async fn over(stream: Stream) -> io::Result<Exclusive> {
        let (sender, driver) = handshake(stream).await?;
        Ok(Exclusive {
            sender,
            driver,
            idle_since: Instant::now(),
        })
    }

    /// Sees whether the server closed the connection meanwhile.
    fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.idle_since.elapsed() < MAX_IDLE
            && Pin::new(&mut self.driver).poll(&mut cx).is_pending()
            && self.sender.is_ready()
    }

    async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let Exclusive { sender, driver, .. } = self;
        let mut response = pin!(sender.try_send_request(request));
        let mut gone = false;
        std::future::poll_fn(|cx| {
            // The driver's own end is told through the response future.
            if !gone {
                gone = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| match error.take_message() {
            Some(request) => SendError::Unsent(Box::new(request)),
            None => {
                let error = error.into_error();
                if error.is_parse() {
                    SendError::Broken(error)
                } else {
                    SendError::Closed(error)
                }
            }
        })
    }
}

async fn handshake(
    stream: Stream,
) -> io::Result<(
    http1::SendRequest<RequestBody>,
    http1::Connection<TokioIo<Stream>, RequestBody>,
)> {
    http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)
}

/// A response body, together with the connection that it comes over.
pub struct UpstreamBody {
    incoming: Incoming,
    /// None once the response has ended and the connection went back.
    connection: Option<Connection>,
    ticket: Ticket,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    last: Instant,
    deadline: Instant,
}

impl UpstreamBody {
    /// `deadline` ends the whole exchange, `idle` a silence in it.
    pub(crate) fn new(
        incoming: Incoming,
        connection: Connection,
        ticket: Ticket,
        timer: Pin<Box<Sleep>>,
        idle: Duration,
        deadline: Instant,
    ) -> UpstreamBody {
        let mut body = UpstreamBody {
            incoming,
            connection: Some(connection),
            ticket,
            idle,
            timer,
            last: Instant::now(),
            deadline,
        };
        if body.incoming.is_end_stream() {
            body.recycle();
        }
        body
    }

    /// Gives the connection back if it can serve another request.
    fn recycle(&mut self) {
        if let Some(Connection::Own(mut connection)) = self.connection.take() {
            connection.idle_since = Instant::now();
            if connection.is_usable() {
                self.ticket.keep(connection);
            }
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let deadline = self.deadline.min(self.last + self.idle);
            if deadline <= Instant::now() {
                return Poll::Ready("the server stopped sending".into());
            }
            self.timer.as_mut().reset(deadline.into());
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut frame = Pin::new(&mut this.incoming).poll_frame(cx);
        if frame.is_pending()
            && let Some(Connection::Own(connection)) = &mut this.connection
        {
            // Asking for a frame is what makes the driver read one.
            if Pin::new(&mut connection.driver).poll(cx).is_ready() {
                this.connection = None;
            }
            frame = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        match frame {
            Poll::Pending => this.poll_timer(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => {
                this.recycle();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.connection = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.last = Instant::now();
                if this.incoming.is_end_stream() {
                    this.recycle();
                }
                Poll::Ready(Some(Ok(trailers::checked(frame, Side::Response))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// For upgrades: the connection lives in a task of its own, because it outlives the exchange.
pub(crate) async fn send_once(
    server: &Server,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, SendError> {
    let unsent = |request| SendError::Unsent(Box::new(request));
    let Ok(stream) = server.dial.connect_http1(server).await else {
        return Err(unsent(request));
    };
    let Ok((mut sender, driver)) = handshake(stream).await else {
        return Err(unsent(request));
    };
    // Ends with the tunnel, or with the response body.
    tokio::spawn(driver.with_upgrades());
    sender
        .send_request(request)
        .await
        .map_err(SendError::Closed)
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
