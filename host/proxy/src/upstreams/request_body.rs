//! The body of a request to a server: counted, bounded, never copied.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_exchange::Side;

use crate::ground::body::{BoxError, collect};
use crate::ground::refusal::Refusal;
use crate::ground::trailers;
use crate::observe::watch::{Problem, Watch};

/// A request body for an upstream.
pub enum RequestBody {
    Full(Option<Bytes>),
    /// Streamed from the client; `left` is how much more is allowed.
    Client {
        incoming: Incoming,
        watch: Arc<Watch>,
        left: u64,
    },
    /// One that a stage looks into while it passes.
    Wrapped(Wrapped),
    /// It was taken to be sent, and cannot be sent again.
    Gone,
}

/// A body of another type.
type Wrapped = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send + Sync>>;

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RequestBody::Full(_) => "Full",
            RequestBody::Client { .. } => "Client",
            RequestBody::Wrapped(_) => "Wrapped",
            RequestBody::Gone => "Gone",
        })
    }
}

impl RequestBody {
    pub fn empty() -> RequestBody {
        RequestBody::Full(None)
    }

    pub fn full(bytes: Bytes) -> RequestBody {
        RequestBody::Full(Some(bytes).filter(|b| !b.is_empty()))
    }

    /// The body to be sent: shared where it is at hand, else taken out of here.
    pub(crate) fn lend(&mut self) -> RequestBody {
        match self {
            RequestBody::Full(bytes) => RequestBody::Full(bytes.clone()),
            body if body.is_end_stream() => RequestBody::empty(),
            body => std::mem::replace(body, RequestBody::Gone),
        }
    }

    /// Whether it can be sent once more.
    pub(crate) fn is_at_hand(&self) -> bool {
        match self {
            RequestBody::Full(_) => true,
            RequestBody::Gone => false,
            body => body.is_end_stream(),
        }
    }

    /// Reads the whole body, at most `limit` bytes.
    pub(crate) async fn collect(self, limit: usize) -> Result<Bytes, Refusal> {
        let refusal = |problem: Problem| problem.refusal(limit as u64);
        match collect(self, limit).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(refusal(Problem::TooLarge)),
            Err(_) => Err(refusal(Problem::Broken)),
        }
    }

    /// From the client, at most `limit` bytes.
    pub fn client(incoming: Incoming, limit: u64, watch: Arc<Watch>) -> RequestBody {
        if incoming.is_end_stream() {
            watch.end();
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
            RequestBody::Wrapped(body) => return body.as_mut().poll_frame(cx),
            RequestBody::Gone => return Poll::Ready(Some(Err("it was sent already".into()))),
            RequestBody::Client {
                incoming,
                watch,
                left,
            } => (incoming, watch, left),
        };
        let problem = match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            None => {
                watch.end();
                return Poll::Ready(None);
            }
            Some(Err(_)) => Problem::Broken,
            Some(Ok(frame)) => {
                let data = match frame.into_data() {
                    Ok(data) => data,
                    Err(trailers) => {
                        watch.end();
                        return Poll::Ready(Some(Ok(trailers::checked(trailers, Side::Request))));
                    }
                };
                watch.saw(&data);
                if incoming.is_end_stream() {
                    watch.end();
                }
                if data.len() as u64 <= *left {
                    *left -= data.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Problem::TooLarge
            }
        };
        watch.fail(problem);
        Poll::Ready(Some(Err(problem.into())))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Full(bytes) => bytes.is_none(),
            RequestBody::Client { incoming, .. } => incoming.is_end_stream(),
            RequestBody::Wrapped(body) => body.is_end_stream(),
            RequestBody::Gone => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            RequestBody::Client { incoming, .. } => incoming.size_hint(),
            RequestBody::Wrapped(body) => body.size_hint(),
            RequestBody::Gone => SizeHint::default(),
        }
    }
}
