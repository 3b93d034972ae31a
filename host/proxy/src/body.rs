//! Bodies on their way through: counted, bounded, never copied.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_runtime::Side;

use crate::cache::Reader;
use crate::connection::UpstreamBody;
use crate::edge::{Compressed, Mirrored};
use crate::generation::Generation;
use crate::guard::Busy;
use crate::journal::Journal;
use crate::log::{Tap, Tapped};
use crate::trailers;
use crate::tunnel::Tunnel;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the exchange can see of a request body while the upstream connection reads it.
#[derive(Debug, Default)]
pub struct Watch {
    bytes: AtomicU64,
    ended: AtomicBool,
    problem: AtomicU8,
    /// What the access log keeps of it.
    tap: Option<Tap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    TooLarge,
    /// The client broke off or sent something invalid.
    Broken,
}

impl Watch {
    pub(crate) fn tapped(tap: Option<Tap>) -> Watch {
        Watch {
            tap,
            ..Watch::default()
        }
    }

    /// Of a request without a body.
    pub fn over() -> Watch {
        Watch {
            ended: AtomicBool::new(true),
            ..Watch::default()
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The last byte was read (or there was none to read).
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub fn problem(&self) -> Option<Problem> {
        match self.problem.load(Ordering::Relaxed) {
            1 => Some(Problem::TooLarge),
            2 => Some(Problem::Broken),
            _ => None,
        }
    }

    fn fail(&self, problem: Problem) {
        self.problem.store(
            if problem == Problem::TooLarge { 1 } else { 2 },
            Ordering::Relaxed,
        );
    }
}

/// A request body for an upstream.
#[derive(Debug)]
pub enum RequestBody {
    Full(Option<Bytes>),
    /// Streamed from the client; `left` is how much more is allowed.
    Client {
        incoming: Incoming,
        watch: Arc<Watch>,
        left: u64,
    },
    /// One that is copied while it passes.
    Mirrored(Box<Mirrored>),
}

#[derive(Debug)]
struct BodyProblem(Problem);

impl std::fmt::Display for BodyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Problem::TooLarge => "the request body is larger than allowed",
            Problem::Broken => "the client broke off the request body",
        })
    }
}

impl std::error::Error for BodyProblem {}

impl RequestBody {
    pub fn empty() -> RequestBody {
        RequestBody::Full(None)
    }

    pub fn full(bytes: Bytes) -> RequestBody {
        RequestBody::Full(Some(bytes).filter(|b| !b.is_empty()))
    }

    /// The same body once more, where it is at hand.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Full(bytes) => Some(RequestBody::Full(bytes.clone())),
            RequestBody::Client { .. } | RequestBody::Mirrored(_) => None,
        }
    }

    /// From the client, at most `limit` bytes.
    pub fn client(incoming: Incoming, limit: u64, watch: Arc<Watch>) -> RequestBody {
        if incoming.is_end_stream() {
            watch.ended.store(true, Ordering::Relaxed);
            return RequestBody::empty();
        }
        RequestBody::Client {
            incoming,
            watch,
            left: limit,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (incoming, watch, left) = match self.get_mut() {
            RequestBody::Full(bytes) => {
                return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b))));
            }
            RequestBody::Mirrored(mirrored) => return mirrored.poll_frame(cx),
            RequestBody::Client {
                incoming,
                watch,
                left,
            } => (incoming, watch, left),
        };
        let problem = match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None => {
                watch.ended.store(true, Ordering::Relaxed);
                return Poll::Ready(None);
            }
            Some(Err(_)) => Problem::Broken,
            Some(Ok(frame)) => {
                let data = match frame.into_data() {
                    Ok(data) => data,
                    Err(trailers) => {
                        watch.ended.store(true, Ordering::Relaxed);
                        return Poll::Ready(Some(Ok(trailers::checked(trailers, Side::Request))));
                    }
                };
                watch.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                if let Some(tap) = &watch.tap {
                    tap.saw(&data);
                }
                if incoming.is_end_stream() {
                    watch.ended.store(true, Ordering::Relaxed);
                }
                if data.len() as u64 <= *left {
                    *left -= data.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Problem::TooLarge
            }
        };
        watch.fail(problem);
        Poll::Ready(Some(Err(BodyProblem(problem).into())))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Full(bytes) => bytes.is_none(),
            RequestBody::Client { incoming, .. } => incoming.is_end_stream(),
            RequestBody::Mirrored(mirrored) => mirrored.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            RequestBody::Client { incoming, .. } => incoming.size_hint(),
            RequestBody::Mirrored(mirrored) => mirrored.size_hint(),
        }
    }
}

/// A response body for the client. It carries the exchange's lease on its generation and its journal; both end
/// with the last byte.
pub struct ResponseBody {
    content: Content,
    finished: bool,
    journal: Option<Box<Journal>>,
    _busy: Option<Busy>,
    _lease: Arc<Generation>,
}

/// Where a response's bytes come from.
pub enum Content {
    Full(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
    /// On its way into the cache.
    Stored(Box<Reader>),
    Compressed(Box<Compressed>),
    /// One that the access log tells.
    Tapped(Box<Tapped>),
    /// No bytes: the response is the beginning of a WebSocket.
    Tunnel(Box<Tunnel>),
}

impl Content {
    pub fn full(bytes: Bytes) -> Content {
        Content::Full(Some(bytes).filter(|b| !b.is_empty()))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Content::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Content::Upstream(body) => Pin::new(body).poll_frame(cx),
            Content::Stored(reader) => Pin::new(reader).poll_frame(cx),
            Content::Compressed(body) => body.poll_frame(cx),
            Content::Tapped(body) => body.poll_frame(cx),
            Content::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Full(bytes) => bytes.is_none(),
            Content::Upstream(body) => body.is_end_stream(),
            Content::Stored(reader) => reader.is_end_stream(),
            Content::Compressed(body) => body.is_end_stream(),
            Content::Tapped(body) => body.content.is_end_stream(),
            Content::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Content::Upstream(body) => body.size_hint(),
            Content::Stored(reader) => reader.size_hint(),
            Content::Compressed(_) => SizeHint::default(),
            Content::Tapped(body) => body.content.size_hint(),
            Content::Tunnel(_) => SizeHint::with_exact(0),
        }
    }
}

impl ResponseBody {
    pub fn new(
        content: Content,
        journal: Box<Journal>,
        busy: Busy,
        lease: Arc<Generation>,
    ) -> ResponseBody {
        let (content, journal, busy) = match content {
            Content::Tunnel(tunnel) => {
                // The journal closes with the socket, not with this response.
                tunnel.start(journal, busy);
                (Content::Full(None), None, None)
            }
            content => (content, Some(journal), Some(busy)),
        };
        ResponseBody {
            content,
            finished: false,
            journal,
            _busy: busy,
            _lease: lease,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut frame = ready!(Pin::new(&mut this.content).poll_frame(cx));
        if let (Some(Ok(frame)), Some(journal)) = (&mut frame, &this.journal)
            && let Some(trailers) = frame.trailers_mut()
        {
            for name in &journal.not_in_trailers {
                trailers.remove(name);
            }
        }
        match (&frame, &mut this.journal) {
            (None, _) => this.finished = true,
            (Some(Ok(frame)), Some(journal)) => {
                journal.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            (Some(Err(error)), Some(journal)) => journal.broke_off(error.as_ref()),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let finished = self.finished || self.is_end_stream();
        if let Some(journal) = self.journal.take() {
            journal.close(finished);
        }
    }
}

/// Reads a body whole, at most `limit` bytes; None when there is more.
pub async fn collect<B>(body: B, limit: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if all.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limit {
            return Ok(None);
        }
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(one) => {
                all.extend_from_slice(&one);
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(Some(first.unwrap_or_else(|| Bytes::from(all))))
}

/// Removes what the gateway decides itself once a body was replaced.
pub fn forget_framing(headers: &mut HeaderMap) {
    for name in [
        "content-length",
        "content-md5",
        "digest",
        "content-digest",
        "repr-digest",
        "etag",
        "trailer",
    ] {
        headers.remove(name);
    }
}
