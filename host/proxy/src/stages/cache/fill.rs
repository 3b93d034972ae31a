//! A body on its way into the store, read by several exchanges as it comes.
//!
//! A task of its own reads it, at the upstream's speed: a client that reads slowly holds up no other.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};

use super::Claim;
use crate::ground::body::BoxError;
use crate::stages::content::Content;

/// The part that has come so far.
#[derive(Debug)]
pub(super) struct Fill {
    state: Mutex<State>,
    /// For as long as anyone reads from here, however slowly.
    memory: Claim,
}

#[derive(Debug, Default)]
struct State {
    pieces: Vec<Bytes>,
    length: usize,
    end: Option<End>,
    readers: Vec<Waker>,
}

#[derive(Debug)]
enum End {
    Complete(Option<HeaderMap>),
    Failed(String),
    /// Larger than what is stored: the first reader takes the rest over.
    TooLarge(Option<Rest>),
}

/// What is left of a body.
struct Rest(Box<Content>);

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rest")
    }
}

/// How filling ended.
pub(super) enum Filled {
    Whole(Bytes),
    No,
}

/// One exchange's view of it.
pub(super) struct Reader {
    fill: Arc<Fill>,
    next: usize,
    sent: u64,
    length: Option<u64>,
    rest: Option<Rest>,
    /// May take over a body that is too large to store.
    first: bool,
    /// The end, with its trailers, was told.
    ended: bool,
}

// === impl Fill ===

impl Fill {
    pub(super) fn new(memory: Claim) -> Fill {
        Fill {
            state: Mutex::default(),
            memory,
        }
    }

    /// Reads `body` to its end, or until it is larger than `most`.
    pub(super) async fn run(&self, mut body: Content, most: usize) -> Filled {
        loop {
            if !self.fits(most) {
                self.end(End::TooLarge(Some(Rest(Box::new(body)))));
                return Filled::No;
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            if let Some(filled) = self.take(frame) {
                return filled;
            }
        }
    }

    /// The same as far as it goes without waiting: None where there is more to come.
    pub(super) fn run_now(&self, body: &mut Content, most: usize) -> Option<Filled> {
        let mut cx = Context::from_waker(Waker::noop());
        while self.fits(most) {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut cx) else {
                break;
            };
            if let Some(filled) = self.take(frame) {
                return Some(filled);
            }
        }
        None
    }

    fn fits(&self, most: usize) -> bool {
        let length = self.state().length;
        length <= most && self.memory.covers(length)
    }

    fn take(&self, frame: Option<Result<Frame<Bytes>, BoxError>>) -> Option<Filled> {
        let frame = match frame {
            None => return Some(self.complete(None)),
            Some(Err(error)) => {
                self.end(End::Failed(error.to_string()));
                return Some(Filled::No);
            }
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                let mut state = self.state();
                state.length += data.len();
                state.pieces.push(data);
                state.wake();
                None
            }
            Err(frame) => Some(self.complete(frame.into_trailers().ok())),
        }
    }

    /// One copy, into exactly as much memory as it takes: a piece may be a window into a much larger buffer.
    fn complete(&self, trailers: Option<HeaderMap>) -> Filled {
        let mut all = Vec::new();
        let mut state = self.state();
        all.reserve_exact(state.length);
        state
            .pieces
            .iter()
            .for_each(|piece| all.extend_from_slice(piece));
        state.end = Some(End::Complete(trailers));
        state.wake();
        Filled::Whole(Bytes::from(all))
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        state.end = Some(end);
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// A body for a client. `first`: of the exchange that fetches it.
    pub(super) fn reader(self: &Arc<Self>, length: Option<u64>, first: bool) -> Reader {
        Reader {
            fill: self.clone(),
            next: 0,
            sent: 0,
            length,
            rest: None,
            first,
            ended: false,
        }
    }
}

impl State {
    fn wake(&mut self) {
        self.readers.drain(..).for_each(Waker::wake);
    }
}

// === impl Reader ===

impl Reader {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.fill.state();
        if let Some(piece) = state.pieces.get(self.next) {
            self.next += 1;
            self.sent += piece.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        let State {
            end,
            readers,
            pieces,
            ..
        } = &mut *state;
        match end {
            None => {
                if !readers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    readers.push(cx.waker().clone());
                }
                Poll::Pending
            }
            Some(End::Complete(trailers)) => {
                let first_time = !std::mem::replace(&mut self.ended, true);
                let trailers = trailers.clone().filter(|_| first_time);
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Some(End::Failed(why)) => Poll::Ready(Some(Err(why.clone().into()))),
            Some(End::TooLarge(rest)) => match rest {
                Some(_) if self.first => {
                    // Nobody else reads them, and this one has.
                    pieces.clear();
                    let rest = self.rest.insert(rest.take().expect("just seen"));
                    Pin::new(&mut rest.0).poll_frame(cx)
                }
                _ => Poll::Ready(Some(Err("the response is too large to be shared".into()))),
            },
        }
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.rest {
            Some(rest) => Pin::new(&mut rest.0).poll_frame(cx),
            None => self.poll_fill(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        if let Some(rest) = &self.rest {
            return rest.0.is_end_stream();
        }
        let state = self.fill.state();
        let at_end = self.next >= state.pieces.len();
        at_end && (self.ended || matches!(state.end, Some(End::Complete(None))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.sent)),
            None => SizeHint::default(),
        }
    }
}
