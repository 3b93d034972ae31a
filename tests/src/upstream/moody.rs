//! An upstream whose mood a test changes while it serves: how fast, how well, and what it says of itself.
//!
//! | target | answer |
//! |---|---|
//! | `/health` | the status of [`Moody::health`] |
//! | anything | `{"server"}` with the status of [`Moody::answer_with`], after the time of [`Moody::take`] |

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpStream;

use crate::reply::{self, Body};
use crate::server::{ANY, Server};

#[derive(Debug)]
pub struct Moody {
    server: Server,
    mood: Arc<Mood>,
}

#[derive(Debug)]
struct Mood {
    name: String,
    status: AtomicU16,
    health: AtomicU16,
    milliseconds: AtomicU64,
    served: AtomicUsize,
    checked: AtomicUsize,
}

impl Moody {
    pub async fn start(name: &str) -> Self {
        Self::start_at(ANY, name)
            .await
            .expect("loopback has free ports")
    }

    /// On another address of the loopback network, `127.0.0.last`: names in DNS have addresses without ports.
    pub async fn start_on(last: u8, port: u16, name: &str) -> Self {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
        Self::start_at(address, name)
            .await
            .unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    pub async fn start_at(address: SocketAddr, name: &str) -> io::Result<Self> {
        let mood = Arc::new(Mood {
            name: name.to_owned(),
            status: AtomicU16::new(200),
            health: AtomicU16::new(200),
            milliseconds: AtomicU64::new(0),
            served: AtomicUsize::new(0),
            checked: AtomicUsize::new(0),
        });
        let of_server = mood.clone();
        let server = Server::start(address, move |request| answer(request, of_server.clone()));
        Ok(Self {
            server: server.await?,
            mood,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Requests so far, without checks of its health.
    pub fn served(&self) -> usize {
        self.mood.served.load(Ordering::Relaxed)
    }

    /// Checks of its health so far.
    pub fn checked(&self) -> usize {
        self.mood.checked.load(Ordering::Relaxed)
    }

    pub fn answer_with(&self, status: u16) {
        self.mood.status.store(status, Ordering::Relaxed);
    }

    pub fn health(&self, status: u16) {
        self.mood.health.store(status, Ordering::Relaxed);
    }

    pub fn take(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.mood
            .milliseconds
            .store(milliseconds, Ordering::Relaxed);
    }

    /// Ends it as a crash would; the port is free when this returns.
    pub async fn kill(self) {
        self.server.kill().await;
    }
}

async fn answer(request: Request<Incoming>, mood: Arc<Mood>) -> Response<Body> {
    let status = |of: &AtomicU16| {
        StatusCode::from_u16(of.load(Ordering::Relaxed)).expect("tests set statuses")
    };
    if request.uri().path() == "/health" {
        mood.checked.fetch_add(1, Ordering::Relaxed);
        return reply::empty(status(&mood.health));
    }
    mood.served.fetch_add(1, Ordering::Relaxed);
    let time = Duration::from_millis(mood.milliseconds.load(Ordering::Relaxed));
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
    let host = request.headers().get("host");
    let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    reply::json(
        status(&mood.status),
        &json!({ "server": mood.name, "host": host }),
    )
}

/// Accepts connections and says nothing.
pub async fn mute(address: SocketAddr) -> io::Result<Server> {
    Server::raw(address, |stream: TcpStream| async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(stream);
    })
    .await
}
