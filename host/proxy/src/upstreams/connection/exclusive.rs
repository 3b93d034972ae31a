//! HTTP/1.1 to a server: one connection, one exchange at a time, which moves it.
//!
//! ```text
//! send: write the head, and what is there of the body → read until the head of the response
//! poll_frame: write on, where the server answered early → read on → keep the connection, or close it
//! ```
//!
//! Nothing runs on its own: no task, no channel. The exchange polls its connection, first for the head and then with
//! the body, and both directions move with each poll. `request.rs` has what is written, `response.rs` what is read.

mod chunks;
mod request;
mod response;

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt;

use self::request::Outbox;
use self::response::{Broken, LastHead, Payload, end_of_head};
use super::{Addressee, SendError};
use crate::ground::alarm::LazyAlarm;
use crate::ground::body::BoxError;
use crate::upstreams::patience::Patience;
use crate::upstreams::request_body::RequestBody;
use crate::wire::tls::Stream;

/// A connection that no other exchange uses.
pub(crate) struct Exclusive {
    stream: Stream,
    /// What came and was not given on.
    input: BytesMut,
    outbox: Outbox,
    last: LastHead,
    /// Bytes of `input` that are known not to be a whole head.
    looked: usize,
    payload: Payload,
    /// The server lets the connection serve another request.
    persists: bool,
    /// Why nothing more can be written.
    unwritable: Option<io::Error>,
    idle_since: Instant,
    pub(super) alarm: LazyAlarm,
}

/// Idle connections older than this are not trusted: servers close theirs after 5 to 75 s.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Room for what one read may bring: a small response whole, and more of a large one.
const READ: usize = 8 * 1024;
const READ_LARGE: usize = 64 * 1024;
/// The longest head of a response, in bytes.
const MAX_HEAD: usize = 256 * 1024;

impl std::fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exclusive")
    }
}

impl Exclusive {
    pub(crate) fn over(stream: Stream) -> Box<Exclusive> {
        let now = Instant::now();
        Box::new(Exclusive {
            stream,
            input: BytesMut::new(),
            outbox: Outbox::default(),
            last: LastHead::default(),
            looked: 0,
            payload: Payload::Ended,
            persists: true,
            unwritable: None,
            idle_since: now,
            alarm: LazyAlarm::at(now + MAX_IDLE),
        })
    }

    /// Whether it can serve another request.
    pub(super) fn is_done(&self) -> bool {
        self.persists
            && self.payload.has_ended()
            && self.outbox.is_done()
            && self.unwritable.is_none()
            && self.input.is_empty()
    }

    /// Idle from now on.
    pub(super) fn rest(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// Whether it may be used after it was idle: the server neither closed it nor said anything.
    pub(super) fn is_usable(&mut self, now: Instant) -> bool {
        now.saturating_duration_since(self.idle_since) < MAX_IDLE && self.stream.is_quiet()
    }

    /// Sends one request and waits for the head of its response. Of `request` only a body that cannot be repeated is
    /// taken, and that only once the connection has begun to write.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<RequestBody>,
        to: Addressee<'_>,
        patience: &mut Patience<'_>,
    ) -> Result<Response<()>, SendError> {
        self.outbox.begin(request, to);
        patience.begin(&mut self.alarm);
        let asked = std::future::poll_fn(|cx| match self.poll_head(cx, request.method()) {
            Poll::Pending => patience
                .poll(&mut self.alarm, cx)
                .map(|()| Err(Unanswered::Late)),
            done => done,
        });
        match asked.await {
            Ok(response) => Ok(response),
            Err(Unanswered::Late) => Err(SendError::Late),
            Err(Unanswered::Broken(broken)) => Err(SendError::Broken(broken.into())),
            Err(Unanswered::Closed(_)) if self.outbox.is_untouched() => {
                self.outbox.give_back(request);
                Err(SendError::Unsent)
            }
            Err(Unanswered::Closed(error)) => Err(SendError::Closed(error.into())),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<Response<()>, Unanswered>> {
        self.poll_write(cx);
        if let Some(error) = self.outbox.failed.take() {
            // What the client sends is at fault, or it left: nothing sensible can follow.
            return Poll::Ready(Err(Unanswered::Closed(io::Error::other(error))));
        }
        loop {
            match self.head(method)? {
                Some(head) if head.status().is_informational() && !is_switch(&head) => continue,
                Some(head) => return Poll::Ready(Ok(head)),
                None => {}
            }
            if self.input.len() > MAX_HEAD {
                return Poll::Ready(Err(Broken::Long.into()));
            }
            match ready!(self.poll_read(cx, READ)) {
                Ok(0) => return Poll::Ready(Err(self.closed())),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Unanswered::Closed(error))),
            }
        }
    }

    /// The head that has come. None: it is not whole.
    fn head(&mut self, method: &Method) -> Result<Option<Response<()>>, Broken> {
        // One that came in pieces is parsed when its end is there: not again and again.
        let begun = self.looked > 0;
        if self.input.is_empty() || begun && end_of_head(&self.input, self.looked).is_none() {
            self.looked = self.input.len();
            return Ok(None);
        }
        let parsed = response::parse(&mut self.input, method, &mut self.last)?;
        self.looked = if parsed.is_some() {
            0
        } else {
            self.input.len()
        };
        Ok(parsed.map(|(head, payload, persists)| {
            (self.payload, self.persists) = (payload, persists);
            head
        }))
    }

    /// The server closed before it answered.
    fn closed(&mut self) -> Unanswered {
        let error = self.unwritable.take().unwrap_or_else(|| {
            let text = if self.input.is_empty() {
                "the connection was closed before the response"
            } else {
                "the connection was closed within the head of the response"
            };
            io::Error::new(io::ErrorKind::UnexpectedEof, text)
        });
        Unanswered::Closed(error)
    }

    /// The next part of the response. The rest of the request is written on meanwhile.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.outbox.is_done() {
            self.poll_write(cx);
        }
        loop {
            match self.payload.take(&mut self.input) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.payload.has_ended() => return Poll::Ready(None),
                Ok(None) => {}
                Err(broken) => return Poll::Ready(Some(Err(broken.into()))),
            }
            let room = self.payload.room(READ, READ_LARGE);
            match ready!(self.poll_read(cx, room)) {
                Ok(0) => {
                    self.persists = false;
                    let text = "the connection was closed within the response";
                    let whole = self.payload.close();
                    return Poll::Ready((!whole).then(|| Err(text.into())));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.payload.has_ended()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }

    /// All of the payload, where it has come already.
    pub(super) fn whole(&mut self) -> Option<Bytes> {
        self.payload.whole(&mut self.input)
    }

    /// The bytes below, once the server has switched protocols, and what of it has come already.
    pub(super) fn into_stream(self) -> (Stream, Bytes) {
        (self.stream, self.input.freeze())
    }

    /// Writes as far as the server takes it. A server that takes no more may still answer.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        if self.unwritable.is_some() {
            return;
        }
        if let Poll::Ready(Err(error)) = self.outbox.poll(cx, &mut self.stream) {
            self.persists = false;
            self.unwritable = Some(error);
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        // What is left of the last read does, unless that is little.
        if self.input.capacity() - self.input.len() < room / 4 {
            self.input.reserve(room);
        }
        // It holds nothing between two polls.
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }
}

fn is_switch(head: &Response<()>) -> bool {
    head.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Why there is no head of a response.
enum Unanswered {
    Late,
    Closed(io::Error),
    Broken(Broken),
}

impl From<Broken> for Unanswered {
    fn from(broken: Broken) -> Unanswered {
        Unanswered::Broken(broken)
    }
}
