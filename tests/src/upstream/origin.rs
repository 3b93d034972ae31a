//! An upstream that answers as the test says, and remembers who asked for what.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::reply::Body;
use crate::server::{ANY, Server};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    /// How many came for this target before, with any method.
    pub before: usize,
}

/// What it is answered.
#[derive(Debug, Clone)]
pub struct Says {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    pieces: Vec<Bytes>,
    delay: Duration,
    /// A permit for each piece after the first.
    gate: Option<Arc<Semaphore>>,
    breaks: bool,
}

#[derive(Debug)]
pub struct Origin {
    server: Server,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    targets: Mutex<HashMap<String, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

// === impl Asked ===

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

// === impl Says ===

impl Says {
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::status(200, body)
    }

    pub fn status(code: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::from_u16(code).expect("a status"),
            headers: Vec::new(),
            pieces: vec![body.into()],
            delay: Duration::ZERO,
            gate: None,
            breaks: false,
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a name");
        let value = HeaderValue::try_from(value).expect("a value");
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// One more piece of the body, which has no Content-Length then unless a header says it.
    #[must_use]
    pub fn then(mut self, piece: impl Into<Bytes>) -> Self {
        self.pieces.push(piece.into());
        self
    }

    /// Each piece after the first waits for a permit.
    #[must_use]
    pub fn gated(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The connection breaks after the last piece.
    #[must_use]
    pub fn breaking(mut self) -> Self {
        self.breaks = true;
        self
    }

    async fn response(self) -> Response<Body> {
        tokio::time::sleep(self.delay).await;
        let whole = self.pieces.len() == 1 && !self.breaks;
        let body = if whole {
            http_body_util::Full::new(self.pieces[0].clone())
                .map_err(|never| match never {})
                .boxed()
        } else {
            pieces(self.pieces, self.gate, self.breaks)
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

fn pieces(pieces: Vec<Bytes>, gate: Option<Arc<Semaphore>>, breaks: bool) -> Body {
    let next = move |at: usize| {
        let (piece, gate) = (pieces.get(at).cloned(), gate.clone());
        let over = at > pieces.len() || (at == pieces.len() && !breaks);
        async move {
            if over {
                return None;
            }
            if let Some(gate) = gate.filter(|_| at > 0) {
                gate.acquire().await.expect("never closed").forget();
            }
            let broken = || Err(io::Error::other("broken on purpose"));
            Some((
                piece.map_or_else(broken, |piece| Ok(Frame::data(piece))),
                at + 1,
            ))
        }
    };
    BodyExt::boxed(StreamBody::new(stream::unfold(0, next)))
}

// === impl Origin ===

impl Origin {
    pub async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Says> + Send + 'static,
    {
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let server = Server::start(ANY, move |request| {
            let (answer, seen) = (answer.clone(), shared.clone());
            async move { seen.through(request, answer).await }
        });
        Self {
            server: server.await.expect("loopback has free ports"),
            seen,
        }
    }

    /// For answers that need no waiting.
    pub async fn saying<F>(answer: F) -> Self
    where
        F: Fn(&Asked) -> Says + Clone + Send + Sync + 'static,
    {
        Self::start(move |asked| std::future::ready(answer(&asked))).await
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.seen
            .asked
            .lock()
            .expect("nothing panics under this lock")
            .clone()
    }

    /// How many requests came for a target.
    pub fn count(&self, target: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.target == target)
            .count()
    }

    /// The most that were answered at the same time.
    pub fn most_at_once(&self) -> usize {
        self.seen.most.load(Ordering::Relaxed)
    }

    pub async fn kill(self) {
        self.server.kill().await;
    }
}

impl Seen {
    async fn through<F, R>(&self, request: Request<Incoming>, answer: F) -> Response<Body>
    where
        F: Fn(Asked) -> R,
        R: Future<Output = Says>,
    {
        let (head, body) = request.into_parts();
        // What a request brings does not matter here, but it has to be read.
        let _read = body.collect().await;
        let target = head.uri.to_string();
        let before = {
            let mut targets = self.targets.lock().expect("nothing panics under this lock");
            let count = targets.entry(target.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let asked = Asked {
            method: head.method,
            target,
            headers: head.headers,
            before,
        };
        self.asked
            .lock()
            .expect("nothing panics under this lock")
            .push(asked.clone());
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let response = answer(asked).await.response().await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        response
    }
}
