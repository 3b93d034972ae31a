//! HTTP/2 to a server: one connection carries the exchanges of one worker, each on a stream of its own.
//!
//! hyper drives such a connection in a task of its own; it ends when the server says so, or when the pool and the last
//! stream have let go of it. A pool belongs to one worker, so nothing here is contended.

mod request;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;

use self::request::{Ending, addressed};
use super::exclusive::Exclusive;
use super::{Addressee, Connection, Destination, SendError};
use crate::ground::alarm::LazyAlarm;
use crate::ground::body::BoxError;
use crate::upstreams::patience::Patience;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::response_head;
use crate::wire::tls::Stream;

/// The HTTP/2 connections of one worker to one server.
#[derive(Debug)]
pub(crate) struct Streams {
    open: ArrayQueue<Arc<Shared>>,
    /// One exchange connects while the others wait for what comes of it.
    opening: AtomicBool,
    opened: Notify,
    failures: AtomicUsize,
    /// What the server chose the last time it could choose.
    speaks_http1: AtomicBool,
}

/// A connection.
struct Shared {
    sender: SendRequest<RequestBody>,
    scheme: &'static str,
    /// Streams in use, and begun so far.
    in_use: AtomicUsize,
    begun: AtomicUsize,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// What the server allows (SETTINGS_MAX_CONCURRENT_STREAMS).
    allowed: AtomicUsize,
    /// The server has said what it allows.
    settled: AtomicBool,
    /// Told when it has, or is gone.
    changed: Notify,
    /// No new streams: the server said GOAWAY, refused one, or is gone.
    retired: AtomicBool,
}

/// One stream of a connection, from before it is begun until it ends.
pub(crate) struct Claim {
    shared: Arc<Shared>,
    /// The first on its connection.
    first: bool,
    /// The response, once its head has come.
    incoming: Option<Incoming>,
    pub(super) alarm: LazyAlarm,
}

/// Streams at once on one connection, where the server allows more. Beyond it a second connection is opened: one
/// connection is one TCP stream, and a lost packet holds up all of it.
const STREAMS: usize = 100;
/// Before the server's SETTINGS: more than they can say.
const UNSETTLED: usize = usize::MAX - 1;
/// How often, and how long, the server's SETTINGS are looked for.
const LOOK: Duration = Duration::from_millis(1);
const SETTLED_WITHIN: Duration = Duration::from_millis(500);
/// How much of one response is read ahead.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Room for every stream's window, so that a client that does not read holds up no other's response.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
/// The largest head of a response.
const MAX_HEAD: u32 = 64 * 1024;
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);

// === impl Streams ===

impl Streams {
    pub(crate) fn new(size: usize) -> Streams {
        Streams {
            open: ArrayQueue::new(size),
            opening: AtomicBool::new(false),
            opened: Notify::new(),
            failures: AtomicUsize::new(0),
            speaks_http1: AtomicBool::new(false),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// A stream of a connection that is open and has room.
    pub(crate) fn claim(&self) -> Option<Claim> {
        for _ in 0..self.open.len() {
            let shared = self.open.pop()?;
            if shared.is_retired() {
                // Its streams go on; it closes with the last of them.
                continue;
            }
            let claim = Claim::of(&shared);
            // There is the room that it was taken from.
            drop(self.open.push(shared));
            if claim.is_some() {
                return claim;
            }
        }
        None
    }

    /// A stream, of a new connection if need be; or the new connection itself where the server chose HTTP/1.1.
    pub(crate) async fn open(&self, to: Destination<'_>) -> io::Result<Connection> {
        loop {
            if let Some(claim) = self.claim() {
                return Ok(Connection::Shared(Box::new(claim)));
            }
            if self.speaks_http1.load(Ordering::Relaxed) {
                return self.connect(to).await;
            }
            if let Some(_turn) = Turn::take(self) {
                let connected = self.connect(to).await;
                if connected.is_err() {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                }
                return connected;
            }
            let failures = self.failures.load(Ordering::Relaxed);
            self.opened.notified().await;
            if self.failures.load(Ordering::Relaxed) != failures {
                // The same would come of it, and one after the other would wait for that.
                return Err(io::Error::other("no connection could be opened just now"));
            }
        }
    }

    pub(crate) fn close(&self) {
        while self.open.pop().is_some() {}
    }

    async fn connect(&self, to: Destination<'_>) -> io::Result<Connection> {
        let dialled = to.dial.reach(to.address, to.host).await?;
        self.speaks_http1.store(!dialled.h2, Ordering::Relaxed);
        if !dialled.h2 {
            return Ok(Connection::Own(Exclusive::over(dialled.stream)));
        }
        let shared = Arc::new(Shared::over(dialled.stream, to.dial.scheme()).await?);
        let claim = Claim::of(&shared).ok_or_else(|| io::Error::other("no stream is allowed"))?;
        // A full pool: the connection closes with this one stream.
        drop(self.open.push(shared));
        Ok(Connection::Shared(Box::new(claim)))
    }
}

/// The right to connect; whoever waits is woken when it is given back, however that comes.
struct Turn<'a>(&'a Streams);

impl<'a> Turn<'a> {
    fn take(streams: &'a Streams) -> Option<Turn<'a>> {
        let taken = streams.opening.swap(true, Ordering::Relaxed);
        (!taken).then(|| Turn(streams))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.opening.store(false, Ordering::Relaxed);
        self.0.opened.notify_waiters();
    }
}

// === impl State ===

impl State {
    /// Takes in what is allowed; false while the server has not said it.
    fn see(&self, allowed: usize) -> bool {
        if allowed == UNSETTLED {
            return false;
        }
        self.allowed.store(allowed, Ordering::Relaxed);
        if !self.settled.swap(true, Ordering::Relaxed) {
            self.changed.notify_waiters();
        }
        true
    }

    /// Waits for the server's SETTINGS, which come first (RFC 9113 section 3.4): a stream that is begun before may be
    /// one too many, and be refused.
    async fn settle(&self) -> io::Result<()> {
        while !self.settled.load(Ordering::Relaxed) {
            if self.retired.load(Ordering::Relaxed) {
                return Err(io::Error::other("the server closed before its SETTINGS"));
            }
            self.changed.notified().await;
        }
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    async fn over(stream: Stream, scheme: &'static str) -> io::Result<Shared> {
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_max_send_streams(UNSETTLED)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let state = Arc::new(State {
            allowed: AtomicUsize::new(0),
            settled: AtomicBool::new(false),
            changed: Notify::new(),
            retired: AtomicBool::new(false),
        });
        let seen = state.clone();
        // Ends with the connection; see above.
        tokio::spawn(async move {
            let (mut driver, mut look) = (pin!(driver), pin!(tokio::time::sleep(LOOK)));
            let ended = std::future::poll_fn(|cx| {
                let ended = driver.as_mut().poll(cx);
                // hyper reads SETTINGS in another task and tells nobody: they are looked for until they are there.
                while !seen.see(driver.current_max_send_streams())
                    && ended.is_pending()
                    && look.as_mut().poll(cx).is_ready()
                {
                    look.as_mut().reset(tokio::time::Instant::now() + LOOK);
                }
                ended
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "an HTTP/2 connection to a server ended early");
            }
            seen.retired.store(true, Ordering::Relaxed);
            seen.changed.notify_waiters();
        });
        match tokio::time::timeout(SETTLED_WITHIN, state.settle()).await {
            Ok(settled) => settled?,
            // A server that keeps us waiting for what has to come first may refuse a stream.
            Err(_) => state.allowed.store(STREAMS, Ordering::Relaxed),
        }
        Ok(Shared {
            sender,
            scheme,
            in_use: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            state,
        })
    }

    fn is_retired(&self) -> bool {
        self.state.retired.load(Ordering::Relaxed) || self.sender.is_closed()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("in_use", &self.in_use)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

// === impl Claim ===

impl Claim {
    /// None while the connection has no room.
    fn of(shared: &Arc<Shared>) -> Option<Claim> {
        let allowed = shared.state.allowed.load(Ordering::Relaxed).min(STREAMS);
        if shared.in_use.load(Ordering::Relaxed) >= allowed {
            return None;
        }
        shared.in_use.fetch_add(1, Ordering::Relaxed);
        let first = shared.begun.fetch_add(1, Ordering::Relaxed) == 0;
        Some(Claim {
            shared: shared.clone(),
            first,
            incoming: None,
            alarm: LazyAlarm::at(Instant::now()),
        })
    }

    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    /// Sends one request and waits for the head of its response. Dropping this resets the stream (CANCEL).
    pub(crate) async fn send(
        &mut self,
        request: &mut Request<RequestBody>,
        to: Addressee<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<Response<()>, SendError> {
        let addressed = addressed(request, to, self.shared.scheme);
        let mut sender = self.shared.sender.clone();
        let mut sent = pin!(sender.try_send_request(addressed));
        patience.begin(&mut self.alarm);
        let alarm = &mut self.alarm;
        let sent = std::future::poll_fn(|cx| match sent.as_mut().poll(cx) {
            Poll::Ready(sent) => Poll::Ready(Some(sent)),
            Poll::Pending => patience.poll(alarm, cx).map(|()| None),
        });
        match sent.await {
            None => Err(SendError::Late),
            Some(Ok(response)) => {
                let (mut head, incoming) = response.into_parts();
                response_head::strip(&mut head.headers);
                self.incoming = Some(incoming);
                Ok(Response::from_parts(head, ()))
            }
            Some(Err(error)) => Err(self.failed(request, error)),
        }
    }

    fn failed(
        &self,
        request: &mut Request<RequestBody>,
        mut error: TrySendError<Request<RequestBody>>,
    ) -> SendError {
        if let Some(unsent) = error.take_message() {
            self.retire();
            *request.body_mut() = unsent.into_body();
            return SendError::Unsent;
        }
        let error = error.into_error();
        match Ending::of(&error) {
            Ending::Stream => SendError::Broken(error.into()),
            Ending::Connection => {
                self.retire();
                SendError::Closed(error.into())
            }
            Ending::Unprocessed => {
                self.retire();
                // A server that refuses the first stream would refuse the next as well.
                if request.body().is_at_hand() && !self.first {
                    SendError::Unsent
                } else {
                    SendError::Closed(error.into())
                }
            }
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            None => Poll::Ready(None),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let incoming = self.incoming.as_ref();
        incoming.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }

    fn retire(&self) {
        self.shared.state.retired.store(true, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}
