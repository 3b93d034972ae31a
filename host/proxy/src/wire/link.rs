//! A connection for a request that the gateway makes for itself: a health check, a batch of spans, a question of
//! `explain`, a command that asks the admin listener. Such requests share connecting, sending and the deadline; they
//! are not retried, and no pool keeps them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use crate::ground::body::BoxError;

/// A connection that its holder alone uses. It is closed when this is dropped.
pub struct Link {
    sender: Sender,
    driver: AbortHandle,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Which HTTP is spoken over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http2,
}

impl Link {
    /// Over an open connection; its bytes are driven by a task of their own.
    pub async fn over(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        speaks: Speaks,
    ) -> hyper::Result<Link> {
        let io = TokioIo::new(io);
        Ok(match speaks {
            Speaks::Http1 => {
                let (sender, driver) = http1::handshake(io).await?;
                Link {
                    sender: Sender::Http1(sender),
                    driver: tokio::spawn(driver.with_upgrades()).abort_handle(),
                }
            }
            Speaks::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let (sender, driver) = builder.timer(TokioTimer::new()).handshake(io).await?;
                Link {
                    sender: Sender::Http2(sender),
                    driver: tokio::spawn(driver).abort_handle(),
                }
            }
        })
    }

    /// Whether another request may be sent.
    pub(crate) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and waits for the head of its response.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A body with its trailers, of at most `most` bytes.
pub(crate) async fn read(body: Incoming, most: usize) -> Result<Collected<Bytes>, BoxError> {
    Limited::new(body, most).collect().await
}

/// The outcome of a request within its time. `late` makes an error of the words that say how long it was.
pub(crate) async fn within<T, E>(
    limit: Duration,
    asked: impl Future<Output = Result<T, E>>,
    late: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let done = tokio::time::timeout(limit, asked).await;
    done.unwrap_or_else(|_| Err(late(format!("no answer within {limit:?}"))))
}
