//! Bodies that a route wants told: the first bytes are kept as they pass, and only what can be redacted is told.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body::{Body, Frame};
use serde_json::{Value, json};

use super::redact::Redaction;
use crate::stages::body::{BoxError, Content};

/// A body that passes, and what it is said to be.
#[derive(Debug, Clone)]
pub(crate) struct Tap(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    limit: usize,
    form: Form,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    /// There was what is not kept.
    more: bool,
}

/// A response body of which a tap keeps the first bytes.
pub struct Tapped {
    pub(crate) content: Content,
    tap: Tap,
}

/// What is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    UrlEncoded,
    /// Whose secrets nobody can find.
    Other,
}

impl Tap {
    /// For a body with these headers, of which at most `limit` bytes are told.
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
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// What a line tells; nothing of what has secrets that cannot be found.
    pub(super) fn told(&self, redaction: &Redaction) -> Value {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = |why: String| json!({ "untold": why });
        match seen.more {
            true if self.0.form == Form::Other => {
                return untold("neither JSON nor a form, or encoded".to_owned());
            }
            true => return untold(format!("more than {} bytes", self.0.limit)),
            false if seen.bytes.is_empty() => return Value::Null,
            false => {}
        }
        match self.0.form {
            Form::Json => redaction.json(&seen.bytes),
            _ => std::str::from_utf8(&seen.bytes)
                .ok()
                .map(|form| redaction.query(form).into()),
        }
        .unwrap_or_else(|| untold("not what it says it is".to_owned()))
    }
}

impl Tapped {
    /// What is there already is seen now; the rest as it passes.
    pub(crate) fn content(content: Content, tap: Tap) -> Content {
        match content {
            Content::Full(bytes) => {
                tap.saw(bytes.as_deref().unwrap_or_default());
                Content::Full(bytes)
            }
            Content::Tunnel(tunnel) => Content::Tunnel(tunnel),
            content => Content::Tapped(Box::new(Tapped { content, tap })),
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.content).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.tap.saw(data);
        }
        Poll::Ready(frame)
    }
}

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
