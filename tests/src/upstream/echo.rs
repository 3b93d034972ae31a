//! An upstream that tells what it saw, late if asked, and takes and gives bodies of any size.
//!
//! | target | answer |
//! |---|---|
//! | `/sink…` | `{"bytes", "intact"}` of the body: is it the pattern of [`pattern`]? |
//! | `/source…?bytes=N` | N bytes of the pattern, with a content-length; `&chunked=1`: without |
//! | anything | [`Echo`] as JSON, after `?delay=MS`, with `?status=CODE`, and the header `x-echo: 1` |

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::reply::{self, Body};
use crate::server::{ANY, Server};

/// A named instance of this upstream.
#[derive(Debug)]
pub struct Echo {
    server: Server,
    served: Arc<AtomicUsize>,
}

/// A body made while it is read.
#[derive(Debug)]
struct Pattern {
    at: u64,
    end: u64,
    sized: bool,
}

/// Prime, so that no power of two of lost bytes goes unnoticed.
const PERIOD: usize = 251;
const PIECE: usize = 64 * 1024;

static PIECES: [u8; PIECE + PERIOD] = pieces();

// === impl Echo ===

impl Echo {
    pub async fn start(name: &str) -> Self {
        Self::start_at(ANY, name)
            .await
            .expect("loopback has free ports")
    }

    /// For an upstream that comes back where it was.
    pub async fn start_at(address: SocketAddr, name: &str) -> io::Result<Self> {
        Self::telling(address, name, |_| {}).await
    }

    /// One that tells of every request before it answers.
    pub async fn telling<T>(address: SocketAddr, name: &str, tell: T) -> io::Result<Self>
    where
        T: Fn(&Request<Incoming>) + Clone + Send + 'static,
    {
        let name: Arc<str> = name.into();
        let served = Arc::new(AtomicUsize::new(0));
        let count = served.clone();
        let server = Server::start(address, move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            tell(&request);
            answer(request, name.clone())
        });
        Ok(Self {
            server: server.await?,
            served,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many requests came so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Ends it as a crash would; the port is free when this returns.
    pub async fn kill(self) {
        self.server.kill().await;
    }
}

// === impl Pattern ===

/// Up to 64 KiB of the pattern from byte `at` on.
pub fn pattern(at: u64, length: usize) -> &'static [u8] {
    let from = usize::try_from(at % PERIOD as u64).expect("less than 251");
    &PIECES[from..from + length.min(PIECE)]
}

impl hyper::body::Body for Pattern {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = usize::try_from(self.end - self.at).unwrap_or(PIECE);
        if left == 0 {
            return Poll::Ready(None);
        }
        let piece = pattern(self.at, left);
        self.at += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized {
            SizeHint::with_exact(self.end - self.at)
        } else {
            SizeHint::default()
        }
    }
}

async fn answer(request: Request<Incoming>, name: Arc<str>) -> Response<Body> {
    let path = request.uri().path();
    if path.starts_with("/sink") {
        return sink(request.into_body()).await;
    }
    let query = request.uri().query().unwrap_or_default();
    if path.starts_with("/source") {
        let end = parameter(query, "bytes").unwrap_or_default();
        let source = Pattern {
            at: 0,
            end,
            sized: parameter(query, "chunked").is_none(),
        };
        return Response::new(source.map_err(|never| match never {}).boxed());
    }
    if let Some(delay) = parameter(query, "delay") {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let status = parameter(query, "status").and_then(|code| u16::try_from(code).ok());
    let status = status
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::OK);
    let mut response = reply::json(status, &seen(request, &name).await);
    response
        .headers_mut()
        .insert("x-echo", HeaderValue::from_static("1"));
    response
}

/// What the request looked like from here.
async fn seen(request: Request<Incoming>, name: &str) -> Value {
    let (head, body) = request.into_parts();
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    json!({
        "server": name,
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    })
}

async fn sink(mut body: Incoming) -> Response<Body> {
    let (mut bytes, mut intact) = (0_u64, true);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return reply::json(
                StatusCode::BAD_REQUEST,
                &json!({ "bytes": bytes, "broken": true }),
            );
        };
        for piece in frame
            .data_ref()
            .map(|data| data.chunks(PIECE))
            .into_iter()
            .flatten()
        {
            intact &= piece == pattern(bytes, piece.len());
            bytes += piece.len() as u64;
        }
    }
    reply::json(StatusCode::OK, &json!({ "bytes": bytes, "intact": intact }))
}

fn parameter(query: &str, name: &str) -> Option<u64> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?
        .1
        .parse()
        .ok()
}

const fn pieces() -> [u8; PIECE + PERIOD] {
    let mut bytes = [0; PIECE + PERIOD];
    let mut at = 0;
    while at < bytes.len() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a remainder of 251 fits a byte"
        )]
        {
            bytes[at] = (at % PERIOD) as u8;
        }
        at += 1;
    }
    bytes
}
