//! WebSocket: the handshake passes all plugins like any request; after the upstream's 101 the two sockets are
//! joined. Never before it: no byte is tunnelled that the upstream did not agree to (RUSTSEC-2026-0033).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use portcullis_runtime::Exchange;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::{Content, RequestBody};
use crate::connection::{SendError, send_once};
use crate::exchange::response_head;
use crate::forward::{Forwarding, upstream_request, write_host};
use crate::generation::Generation;
use crate::metrics::Metrics;
use crate::permit::Permit;
use crate::refusal::{Reason, Refusal};
use crate::upstream::Verdict;

/// Takes the client's half out of a request that may become a tunnel.
pub(crate) fn prepare(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(request))
}

/// Offers the handshake to the upstream; joins the sockets if it agrees, passes its answer on if not.
pub(crate) async fn open(
    permit: Permit,
    x: &mut Exchange,
    f: Forwarding<'_>,
    client_half: OnUpgrade,
    lease: Arc<Generation>,
) -> Result<Response<Content>, Refusal> {
    let upstream = f.upstream;
    f.journal.rewritten(permit.rewritten_from(x));
    let times = upstream.timeouts;
    let key = upstream.key(x);
    let mut request = upstream_request(x, RequestBody::empty(), &f);
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    let mut tried = Vec::new();
    let (mut response, ticket) = loop {
        let Some(ticket) = upstream.pick(key, &tried, f.worker.index) else {
            return Err(Refusal::new(Reason::UpstreamUnreachable)
                .because(format!("no server of {}", upstream.name)));
        };
        tried.push(ticket.server().clone());
        f.journal.server = Some(ticket.server().address.clone());
        write_host(&mut request, x, upstream, &ticket, &f.provenance);
        let limit = times.connect + times.first_byte;
        let began = Instant::now();
        match tokio::time::timeout(limit, send_once(ticket.server(), request)).await {
            Err(_) => {
                upstream.tell(&ticket, Verdict::Timeout, began.elapsed());
                return Err(Refusal::new(Reason::UpstreamTimeout));
            }
            Ok(Ok(response)) => {
                upstream.tell(
                    &ticket,
                    Verdict::Answered(response.status()),
                    began.elapsed(),
                );
                break (response, ticket);
            }
            Ok(Err(SendError::Unsent(unsent))) => {
                upstream.tell(&ticket, Verdict::Connect, began.elapsed());
                request = *unsent;
            }
            Ok(Err(SendError::Closed(error) | SendError::Broken(error))) => {
                upstream.tell(&ticket, Verdict::Closed, began.elapsed());
                return Err(Refusal::new(Reason::UpstreamUnreachable).because(error.to_string()));
            }
        }
    };
    upstream.stick(key, &ticket, x.scheme == "https", response.headers_mut());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return declined(response).await;
    }
    let server_half = hyper::upgrade::on(&mut response);
    let (head, _) = response_head(response);
    let mut answer = Response::new(Content::Full(None));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer.headers_mut().remove(http::header::CONTENT_LENGTH);
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    f.client.become_raw();
    let metrics = f.worker.gate.archive.metrics.clone();
    let slots = f.journal.limited.take_slots();
    // Ends with either socket, with its idle time, or with the worker.
    tokio::spawn(async move {
        let joined = join(client_half, server_half, times.idle, &metrics).await;
        if let Err(error) = joined {
            tracing::debug!(%error, "a WebSocket ended");
        }
        drop((ticket, lease, slots));
    });
    Ok(answer)
}

/// The upstream did not switch: its answer is a small ordinary response.
async fn declined(response: Response<Incoming>) -> Result<Response<Content>, Refusal> {
    const LIMIT: usize = 1024 * 1024;
    let (head, incoming) = response_head(response);
    let body = crate::body::collect(incoming, LIMIT).await;
    let bytes = body
        .ok()
        .flatten()
        .ok_or_else(|| Refusal::new(Reason::UpstreamBroken))?;
    let mut answer = Response::new(Content::full(bytes));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    Ok(answer)
}

async fn join(
    client: OnUpgrade,
    server: OnUpgrade,
    idle: Duration,
    metrics: &Metrics,
) -> io::Result<()> {
    let client = client.await.map_err(io::Error::other)?;
    let server = server.await.map_err(io::Error::other)?;
    let activity = Arc::new(Activity::new());
    let mut client = Watched {
        io: TokioIo::new(client),
        activity: activity.clone(),
    };
    let mut server = Watched {
        io: TokioIo::new(server),
        activity: activity.clone(),
    };
    metrics.tunnels.inc();
    let joined = tokio::select! {
        joined = tokio::io::copy_bidirectional(&mut client, &mut server) => joined.map(drop),
        () = activity.silence(idle) => Err(io::ErrorKind::TimedOut.into()),
    };
    metrics.tunnels.dec();
    joined
}

/// When bytes last moved, in milliseconds since the tunnel began.
struct Activity {
    began: Instant,
    last: AtomicU64,
}

impl Activity {
    fn new() -> Activity {
        Activity {
            began: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn silence(&self, idle: Duration) {
        loop {
            let quiet =
                Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)));
            match idle.checked_sub(quiet) {
                Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                _ => return,
            }
        }
    }
}

struct Watched {
    io: TokioIo<Upgraded>,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.activity
                .last
                .store(self.activity.now(), Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
