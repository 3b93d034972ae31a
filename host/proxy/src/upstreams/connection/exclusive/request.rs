//! A request as it is written: the head in one piece, the body as it comes, both in as few writes as the server allows.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, Method, Request};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use crate::ground::body::BoxError;
use crate::upstreams::connection::Addressee;
use crate::upstreams::request_body::RequestBody;

/// What is to be written: `line`, `data` and `end`, one after the other, and what of the body is not here yet.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The head, or the size of a chunk.
    line: Vec<u8>,
    data: Bytes,
    /// The end of a chunk, or of the body.
    end: &'static [u8],
    /// Bytes written of the three.
    written: usize,
    unflushed: bool,
    /// None once all of it is here.
    body: Option<RequestBody>,
    framing: Framing,
    /// Not a byte was written, and nothing was taken of the body.
    untouched: bool,
    /// Why the body has no end.
    pub(super) failed: Option<BoxError>,
}

/// How the server learns where the body ends (RFC 9112 section 6).
#[derive(Debug, Default, Clone, Copy)]
enum Framing {
    #[default]
    None,
    /// Bytes to come.
    Length(u64),
    Chunked,
}

/// Memory for a head that a connection keeps.
const KEPT: usize = 8 * 1024;

impl Outbox {
    /// Takes up a request. A body that is at hand is shared with it, any other is taken out of it.
    pub(super) fn begin(&mut self, request: &mut Request<RequestBody>, to: Addressee<'_>) {
        *self = Outbox {
            line: std::mem::take(&mut self.line),
            untouched: true,
            ..Outbox::default()
        };
        self.line.clear();
        let body = request.body();
        let exact = body.size_hint().exact();
        self.framing = match exact {
            _ if body.is_end_stream() => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        write_head(&mut self.line, request, to.host);
        if let Some(added) = to.added {
            added.append_to(&mut self.line);
        }
        write_framing(&mut self.line, self.framing, request.method());
        self.line.extend_from_slice(b"\r\n");
        match request.body_mut().lend() {
            RequestBody::Full(bytes) => self.data = bytes.unwrap_or_default(),
            body => self.body = Some(body),
        }
    }

    /// Whether the server cannot have seen anything of the request, and all of it is still there.
    pub(super) fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// Puts a body that was taken back into its request.
    pub(super) fn give_back(&mut self, request: &mut Request<RequestBody>) {
        if let Some(body) = self.body.take() {
            *request.body_mut() = body;
        }
    }

    /// All of the request is written.
    pub(super) fn is_done(&self) -> bool {
        self.body.is_none() && self.is_written() && !self.unflushed && self.failed.is_none()
    }

    fn is_written(&self) -> bool {
        self.line.is_empty() && self.data.is_empty() && self.end.is_empty()
    }

    /// Writes until the request has ended, or its body or the server has to be waited for.
    pub(super) fn poll<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            let filled = self.fill(cx);
            while !self.is_written() {
                ready!(self.poll_write(cx, stream))?;
            }
            if filled.is_pending() || self.body.is_none() {
                if self.unflushed {
                    ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                    self.unflushed = false;
                }
                return filled.map(Ok);
            }
        }
    }

    fn poll_write<S>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        let stream = Pin::new(stream);
        let written = if self.data.is_empty() && self.end.is_empty() {
            ready!(stream.poll_write(cx, &self.line[self.written..]))?
        } else {
            let mut parts = [&self.line, &*self.data, self.end].map(IoSlice::new);
            let mut parts = &mut parts[..];
            IoSlice::advance_slices(&mut parts, self.written);
            ready!(stream.poll_write_vectored(cx, parts))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        (self.untouched, self.unflushed) = (false, true);
        self.written += written;
        if self.written == self.line.len() + self.data.len() + self.end.len() {
            self.line.clear();
            self.line.shrink_to(KEPT);
            (self.data, self.end, self.written) = (Bytes::new(), &[], 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Adds the next part of the body, where there is room for it. Pending: it has not come yet.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(());
        };
        if self.written > 0 || !self.data.is_empty() || !self.end.is_empty() {
            return Poll::Ready(());
        }
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        self.untouched = false;
        let ends = body.is_end_stream();
        match frame {
            None => self.end(None),
            Some(Err(error)) => self.fail(error),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.add(data);
                    if ends && self.failed.is_none() {
                        self.end(None);
                    }
                }
                Err(frame) => self.end(frame.into_trailers().ok().as_ref()),
            },
        }
        Poll::Ready(())
    }

    fn add(&mut self, data: Bytes) {
        match &mut self.framing {
            Framing::None => {}
            Framing::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    self.data = data;
                }
                None => self.fail("the request body is longer than was said".into()),
            },
            // A chunk of no bytes would be the last one.
            Framing::Chunked if data.is_empty() => {}
            Framing::Chunked => {
                // Writing to memory cannot fail.
                let _ = write!(self.line, "{:x}\r\n", data.len());
                (self.data, self.end) = (data, b"\r\n");
            }
        }
    }

    /// The body has ended.
    fn end(&mut self, trailers: Option<&HeaderMap>) {
        self.body = None;
        match (self.framing, trailers) {
            (Framing::Length(1..), _) => {
                self.fail("the request body is shorter than was said".into());
            }
            (Framing::None | Framing::Length(0), _) => {}
            (Framing::Chunked, None) if self.end.is_empty() => self.end = b"0\r\n\r\n",
            (Framing::Chunked, None) => self.end = b"\r\n0\r\n\r\n",
            (Framing::Chunked, Some(trailers)) => {
                self.line.extend_from_slice(b"0\r\n");
                write_fields(&mut self.line, trailers);
                self.line.extend_from_slice(b"\r\n");
            }
        }
    }

    fn fail(&mut self, error: BoxError) {
        self.body = None;
        self.failed = Some(error);
    }
}

fn write_head(to: &mut Vec<u8>, request: &Request<RequestBody>, host: &HeaderValue) {
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    to.extend_from_slice(request.method().as_str().as_bytes());
    to.push(b' ');
    to.extend_from_slice(target.as_bytes());
    // Host is first (RFC 9110 section 7.2).
    to.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    to.extend_from_slice(host.as_bytes());
    to.extend_from_slice(b"\r\n");
    write_fields(to, request.headers());
}

/// All but what says who is asked and how the body is framed, which is written in one place only.
fn write_fields(to: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        let name = name.as_str();
        if ["host", "content-length", "transfer-encoding"].contains(&name) {
            continue;
        }
        to.extend_from_slice(name.as_bytes());
        to.extend_from_slice(b": ");
        to.extend_from_slice(value.as_bytes());
        to.extend_from_slice(b"\r\n");
    }
}

fn write_framing(to: &mut Vec<u8>, framing: Framing, method: &Method) {
    match framing {
        // Servers expect a body with these methods, and an end of it (RFC 9110 section 8.6).
        Framing::None if [Method::POST, Method::PUT, Method::PATCH].contains(method) => {
            to.extend_from_slice(b"content-length: 0\r\n");
        }
        Framing::None => {}
        Framing::Length(length) => {
            to.extend_from_slice(b"content-length: ");
            to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            to.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => to.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}

#[cfg(test)]
mod tests;
