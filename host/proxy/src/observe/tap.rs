//! Bodies that a route wants in its log: the first bytes are kept as they pass.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

/// A body that passes, and what it is said to be.
#[derive(Debug, Clone)]
pub(crate) struct Tap(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    limit: usize,
    form: Form,
    seen: Mutex<Seen>,
}

/// What passed so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) bytes: Vec<u8>,
    /// There was what is not kept.
    pub(super) more: bool,
}

/// What a body is, as its headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    UrlEncoded,
    /// Whose secrets cannot be found.
    Other,
}

/// A response body of which a tap keeps the first bytes.
pub(crate) struct Tapped<B> {
    body: B,
    tap: Tap,
}

// === impl Tap ===

impl Tap {
    /// For a body with these headers, of which at most `limit` bytes are logged.
    pub(crate) fn new(headers: &HeaderMap, limit: usize) -> Tap {
        Tap(Arc::new(Kept {
            limit,
            form: Form::of(headers),
            seen: Mutex::default(),
        }))
    }

    /// Bytes that pass. One task at a time has a body, so nobody waits for the lock.
    pub(crate) fn saw(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut seen = self.0.seen.lock();
        let whole = !seen.more && seen.bytes.len() + bytes.len() <= self.0.limit;
        if !whole || self.0.form == Form::Other {
            // Half a body cannot be read, and what cannot be read cannot be redacted.
            *seen = Seen {
                bytes: Vec::new(),
                more: true,
            };
            return;
        }
        seen.bytes.extend_from_slice(bytes);
    }

    /// What was kept, with the form of the body and the limit in bytes.
    pub(super) fn read<T>(&self, look: impl FnOnce(Form, &Seen, usize) -> T) -> T {
        let seen = self.0.seen.lock();
        look(self.0.form, &seen, self.0.limit)
    }
}

// === impl Tapped ===

impl<B> Tapped<B> {
    pub(crate) fn new(body: B, tap: Tap) -> Tapped<B> {
        Tapped { body, tap }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tapped<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.tap.saw(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Form ===

impl Form {
    fn of(headers: &HeaderMap) -> Form {
        let kind = headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        match kind.as_str() {
            _ if headers.contains_key(CONTENT_ENCODING) => Form::Other,
            "application/x-www-form-urlencoded" => Form::UrlEncoded,
            "application/json" => Form::Json,
            other if other.ends_with("+json") => Form::Json,
            _ => Form::Other,
        }
    }
}
