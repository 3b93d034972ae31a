//! The body of a response to a client: counted, and what is held until its last byte.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::generation::Generation;
use crate::ground::body::BoxError;
use crate::observe::journal::Journal;
use crate::stages::content::Content;
use crate::wire::guard::Busy;

/// A response body for the client. It carries the exchange's lease on its generation and its journal; both end
/// with the last byte.
pub struct ResponseBody {
    content: Content,
    finished: bool,
    journal: Option<Box<Journal>>,
    _busy: Option<Busy>,
    _lease: Arc<Generation>,
}

impl ResponseBody {
    pub(crate) fn new(
        content: Content,
        journal: Box<Journal>,
        busy: Busy,
        lease: Arc<Generation>,
    ) -> ResponseBody {
        let (content, journal, busy) = match content {
            Content::Tunnel(tunnel) => {
                // The journal closes with the socket, not with this response.
                tunnel.begin(journal, busy);
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
                journal.record.bytes_out += frame.data_ref().map_or(0, |data| data.len() as u64);
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
