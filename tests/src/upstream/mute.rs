//! An upstream that reads requests and never answers: it hangs, or hangs up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::strict::{self, Parsed};
use crate::server::{ANY, Server};

#[derive(Debug)]
pub struct Mute {
    server: Server,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    asked: AtomicUsize,
    left: AtomicUsize,
}

/// What it does once it has read a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Hang,
    HangUp,
}

impl Mute {
    /// Keeps the connection open and says nothing.
    pub async fn hangs() -> Self {
        Self::start(Then::Hang).await
    }

    /// Closes the connection, as a server does that crashes over a request.
    pub async fn hangs_up() -> Self {
        Self::start(Then::HangUp).await
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Whole requests that came.
    pub fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// Connections that the other side closed after a request.
    pub fn left(&self) -> usize {
        self.counts.left.load(Ordering::Relaxed)
    }

    async fn start(then: Then) -> Self {
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        let server = Server::raw(ANY, move |stream| {
            let counts = shared.clone();
            // A connection that breaks has nothing more to tell.
            async move { drop(listen(stream, then, &counts).await) }
        });
        Self {
            server: server.await.expect("loopback has free ports"),
            counts,
        }
    }
}

async fn listen(mut stream: TcpStream, then: Then, counts: &Counts) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if !matches!(strict::parse(&bytes), Parsed::Complete(..)) {
            continue;
        }
        counts.asked.fetch_add(1, Ordering::Relaxed);
        if then == Then::Hang {
            // Ends when the gateway gives up: with an end, or with a reset.
            while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
            counts.left.fetch_add(1, Ordering::Relaxed);
        }
        return Ok(());
    }
}
