//! An upstream of pages: what an answer is like stands in the query.
//!
//! | parameter | meaning |
//! |---|---|
//! | `bytes=N` | a text of N bytes, [`text`] |
//! | `sized=1` | with a content-length |
//! | `status=CODE` | another one than 200 |
//! | `drip=1` | [`FIRST`] at once, [`SECOND`] once the test has said [`Page::let_go`] |
//! | `h.NAME=VALUE` | a header; `~` stands for a space and `'` for a double quote, which no query can have |
//!
//! What came is remembered for [`Page::seen`].

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::reply::Body;
use crate::server::{ANY, Server};

pub const FIRST: &str = "what has come ";
pub const SECOND: &str = "and what came later";
/// Of a text: words that repeat, so that it can be compressed.
const PERIOD: &str = "mention raid boost player squad channel ";
const PIECE: usize = 16 * 1024;

#[derive(Debug)]
pub struct Page {
    server: Server,
    gate: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A body made while it is read.
struct Text {
    at: usize,
    end: usize,
    sized: bool,
}

/// Two pieces with the test's word between them.
struct Drip {
    pieces: Vec<&'static str>,
    gate: Arc<Semaphore>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

// === impl Page ===

impl Page {
    pub async fn start() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = (gate.clone(), seen.clone());
        let server = Server::start(ANY, move |request| answer(request, shared.clone())).await;
        Self {
            server: server.expect("loopback has free ports"),
            gate,
            seen,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Ends one answer that drips.
    pub fn let_go(&self) {
        self.gate.add_permits(1);
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .expect("nothing panics under this lock")
            .clone()
    }
}

// === impl Seen ===

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(n, _)| n == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

/// The text of an answer.
pub fn text(bytes: usize) -> Vec<u8> {
    PERIOD.bytes().cycle().take(bytes).collect()
}

async fn answer(
    request: Request<Incoming>,
    (gate, seen): (Arc<Semaphore>, Arc<Mutex<Vec<Seen>>>),
) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    remember(request, &seen).await;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = |name: &str| pairs.clone().find(|(n, _)| *n == name).map(|(_, v)| v);
    let end = value("bytes").and_then(|n| n.parse().ok()).unwrap_or(0);
    let text = Text {
        at: 0,
        end,
        sized: value("sized").is_some(),
    };
    let drip = Drip {
        pieces: vec![SECOND, FIRST],
        gate,
        waiting: None,
    };
    let body = match value("drip") {
        Some(_) => drip.boxed(),
        None => text.boxed(),
    };
    let mut response = Response::new(body);
    let status = value("status").and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    for (name, value) in pairs.clone() {
        if let Some(name) = name.strip_prefix("h.") {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("tests write good names");
            let value = value.replace('~', " ").replace('\'', "\"");
            let value = HeaderValue::from_str(&value);
            let value = value.expect("tests write good values");
            response.headers_mut().append(name, value);
        }
    }
    response
}

async fn remember(request: Request<Incoming>, seen: &Mutex<Vec<Seen>>) {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec());
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    };
    seen.lock()
        .expect("nothing panics under this lock")
        .push(Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers.iter().map(header).collect(),
            body: body.unwrap_or_default(),
        });
}

impl hyper::body::Body for Text {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let left = self.end - self.at;
        if left == 0 {
            return Poll::Ready(None);
        }
        // A whole number of periods, so that every piece begins with one.
        let most = PIECE / PERIOD.len() * PERIOD.len();
        let piece = text(left.min(most));
        self.at += piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.end == self.at
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized {
            SizeHint::with_exact((self.end - self.at) as u64)
        } else {
            SizeHint::default()
        }
    }
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.pieces.len() == 1 {
            let gate = self.gate.clone();
            let waiting = self.waiting.get_or_insert_with(|| {
                Box::pin(async move {
                    let word = gate.acquire().await.expect("nobody closes it");
                    word.forget();
                })
            });
            std::task::ready!(waiting.as_mut().poll(cx));
        }
        let piece = self.pieces.pop();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    }
}
