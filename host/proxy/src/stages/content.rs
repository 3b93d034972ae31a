//! Where the bytes of a response come from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use portcullis_exchange::Reply;

use crate::ground::body::BoxError;
use crate::observe::journal::Journal;
use crate::observe::tap::{Tap, Tapped};
use crate::upstreams::response_body::UpstreamBody;
use crate::wire::guard::Busy;

/// Where a response's bytes come from.
pub enum Content {
    Full(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
    /// A body that a stage makes or changes: stored, compressed, logged.
    Stage(StageBody),
    /// No bytes: the response is the beginning of a WebSocket.
    Tunnel(Box<dyn Takeover>),
}

/// The body of a stage.
type StageBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// What takes the client's connection over once the response head was sent: a WebSocket.
pub trait Takeover: Send {
    /// Begins, in a task of its own. The journal closes with the socket; the connection is busy until then.
    fn begin(self: Box<Self>, journal: Box<Journal>, busy: Busy);
}

// === impl Content ===

impl Content {
    pub(crate) fn full(bytes: Bytes) -> Content {
        Content::Full(Some(bytes).filter(|b| !b.is_empty()))
    }

    pub(crate) fn of(body: impl Body<Data = Bytes, Error = BoxError> + Send + 'static) -> Content {
        Content::Stage(Box::pin(body))
    }

    /// The same content, of which a tap keeps the first bytes.
    pub(crate) fn tapped(self, tap: Tap) -> Content {
        match self {
            Content::Full(bytes) => {
                tap.saw(bytes.as_deref().unwrap_or_default());
                Content::Full(bytes)
            }
            Content::Tunnel(tunnel) => Content::Tunnel(tunnel),
            content => Content::of(Tapped::new(content, tap)),
        }
    }
}

/// A response with this head and content.
pub(crate) fn response(
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A plugin's reply as a response.
pub(crate) fn reply(reply: Reply) -> Response<Content> {
    response(reply.status, reply.headers, Content::full(reply.body))
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
            Content::Stage(body) => body.as_mut().poll_frame(cx),
            Content::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Full(bytes) => bytes.is_none(),
            Content::Upstream(body) => body.is_end_stream(),
            Content::Stage(body) => body.is_end_stream(),
            Content::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Content::Upstream(body) => body.size_hint(),
            Content::Stage(body) => body.size_hint(),
            Content::Tunnel(_) => SizeHint::with_exact(0),
        }
    }
}
