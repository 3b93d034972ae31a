//! A service whose answers are let out by the test: an event stream, event by event, and long polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use tokio::sync::broadcast;

use crate::reply::{self, Body};
use crate::server::{ANY, Server};
use crate::wait;

#[derive(Debug)]
pub struct Events {
    server: Server,
    out: broadcast::Sender<Bytes>,
    listening: Arc<AtomicUsize>,
}

/// Somebody who waits for an event; gone when dropped.
struct Listener {
    events: broadcast::Receiver<Bytes>,
    listening: Arc<AtomicUsize>,
}

/// Events that a test may be ahead of a listener.
const AHEAD: usize = 64;

impl Events {
    pub async fn start() -> Self {
        let (out, _) = broadcast::channel(AHEAD);
        let listening = Arc::new(AtomicUsize::new(0));
        let (source, count) = (out.clone(), listening.clone());
        let server = Server::start(ANY, move |request| {
            let listener = Listener::new(source.subscribe(), count.clone());
            answer(request, listener)
        });
        Self {
            server: server.await.expect("loopback has free ports"),
            out,
            listening,
        }
    }

    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Sends to all who listen.
    pub fn send(&self, text: &str) {
        let listeners = self.out.send(Bytes::from(text.to_owned()));
        listeners.expect("somebody listens");
    }

    /// Waits until so many listen.
    pub async fn listened_by(&self, count: usize) {
        wait::until(&format!("{count} who listen"), async || {
            self.listening.load(Ordering::SeqCst) == count
        })
        .await;
    }
}

impl Listener {
    fn new(events: broadcast::Receiver<Bytes>, listening: Arc<AtomicUsize>) -> Self {
        listening.fetch_add(1, Ordering::SeqCst);
        Self { events, listening }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(request: Request<Incoming>, mut listener: Listener) -> Response<Body> {
    if request.uri().path() == "/poll" {
        let event = listener.events.recv().await.unwrap_or_default();
        return reply::typed(StatusCode::OK, "text/plain", event);
    }
    reply::events(stream::unfold(listener, |mut listener| async {
        let event = listener.events.recv().await.ok()?;
        Some((event, listener))
    }))
}
