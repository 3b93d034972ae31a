//! HTTP/1.1 to a server: one exchange at a time has the connection.
//!
//! hyper's connection is a future that somebody has to drive. Here the exchange that uses it does, first for the
//! response head, then with the body. An idle connection is driven by nobody; it is polled once before it is used
//! again: that is when a close by the server is seen.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::SendError;
use crate::upstreams::request_body::RequestBody;
use crate::wire::tls::Stream;

/// A connection that no other exchange uses.
pub(crate) struct Exclusive {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<Stream>, RequestBody>,
    idle_since: Instant,
}

/// A connection for one request that may switch protocols. It is driven by a task of its own, because it outlives the
/// exchange.
pub(crate) struct Upgradable {
    sender: http1::SendRequest<RequestBody>,
}

/// Idle connections older than this are not trusted: servers close theirs after 5 to 75 s.
const MAX_IDLE: Duration = Duration::from_secs(30);

// === impl Exclusive ===

impl std::fmt::Debug for Exclusive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exclusive")
    }
}

impl Exclusive {
    pub(crate) async fn over(stream: Stream) -> io::Result<Exclusive> {
        let (sender, driver) = handshake(stream).await?;
        Ok(Exclusive {
            sender,
            driver,
            idle_since: Instant::now(),
        })
    }

    /// Drives the connection on. Ready: it has ended.
    pub(crate) fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.driver).poll(cx).map(drop)
    }

    /// The same connection, idle from now on; None where it cannot serve another request.
    pub(crate) fn into_idle(mut self) -> Option<Exclusive> {
        self.idle_since = Instant::now();
        self.is_usable().then_some(self)
    }

    /// Sees whether the server closed the connection meanwhile.
    pub(super) fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.idle_since.elapsed() < MAX_IDLE
            && Pin::new(&mut self.driver).poll(&mut cx).is_pending()
            && self.sender.is_ready()
    }

    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let Exclusive { sender, driver, .. } = self;
        let mut response = pin!(sender.try_send_request(request));
        let mut gone = false;
        std::future::poll_fn(|cx| {
            // The driver's own end is seen through the response future.
            if !gone {
                gone = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            response.as_mut().poll(cx)
        })
        .await
        .map_err(SendError::of)
    }
}

async fn handshake(
    stream: Stream,
) -> io::Result<(
    http1::SendRequest<RequestBody>,
    http1::Connection<TokioIo<Stream>, RequestBody>,
)> {
    http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)
}

// === impl Upgradable ===

impl Upgradable {
    pub(super) async fn over(stream: Stream) -> io::Result<Upgradable> {
        let (sender, driver) = handshake(stream).await?;
        // Ends with the tunnel, or with the response body.
        tokio::spawn(driver.with_upgrades());
        Ok(Upgradable { sender })
    }

    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let sent = self.sender.try_send_request(request).await;
        sent.map_err(SendError::of)
    }
}
