//! One connection of a client: its handshake, its protocol, and its end when the gateway drains.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portcullis_config::plan::Timeouts;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::pipeline::course::ServedClient;
use crate::pipeline::exchange::serve;
use crate::pipeline::worker::Worker;
use crate::wire::guard::{Client, Guarded, GuardedH2, Io, Silence};
use crate::wire::protocol::Protocol;
use crate::wire::tls::Secured;

/// A connection as it was accepted.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) tcp: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) slot: OwnedSemaphorePermit,
}

/// What a connection needs to know of gateway.toml; taken at the start, so a change needs a restart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) timeouts: Timeouts,
    pub(super) max_head: usize,
}

/// What serving one connection takes beside its bytes.
struct Seat {
    worker: Arc<Worker>,
    draining: watch::Receiver<bool>,
    terms: Terms,
}

/// HTTP/2: streams open at once, and how much of each is read ahead.
const STREAMS: u32 = 128;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves a connection until it ends.
pub(super) async fn serve_connection(
    arrival: Arrival,
    worker: Arc<Worker>,
    draining: watch::Receiver<bool>,
    terms: Terms,
) {
    let Arrival {
        tcp,
        peer,
        protocol,
        slot,
    } = arrival;
    let open = worker.gate.metrics.clients.accepted(protocol);
    let tcp = TcpStream::from_std(tcp).and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
    let client = |tls| Arc::new(Client::new(peer, tls));
    let seat = Seat {
        worker,
        draining,
        terms,
    };
    let ended = match (tcp, protocol) {
        (Err(error), _) => Err(error.to_string()),
        (Ok(tcp), Protocol::Http1) => serve_http1(tcp, client(None), seat).await,
        (Ok(tcp), Protocol::H2c) => serve_h2(tcp, client(None), seat).await,
        (Ok(tcp), Protocol::Https) => serve_tls(tcp, client, seat).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "a connection ended early");
    }
    drop((open, slot));
}

/// The handshake takes the certificates that serve now; the connection keeps what came of it.
async fn serve_tls(
    tcp: TcpStream,
    client: impl FnOnce(Option<Secured>) -> Arc<Client>,
    seat: Seat,
) -> Result<(), String> {
    let Some(termination) = seat.worker.gate.lease().tls.clone() else {
        return Err("the configuration has no [tls] any more".to_owned());
    };
    let clients = &seat.worker.gate.metrics.clients;
    let began = Instant::now();
    let accepted = termination.accept(tcp).await.map_err(|failed| {
        clients.handshake_failed(&failed);
        failed.to_string()
    })?;
    clients.handshake_done(began.elapsed());
    let client = client(Some(accepted.secured));
    if accepted.h2 {
        serve_h2(accepted.stream, client, seat).await
    } else {
        serve_http1(accepted.stream, client, seat).await
    }
}

async fn serve_http1<S: Io>(io: S, client: Arc<Client>, seat: Seat) -> Result<(), String> {
    let Seat {
        worker,
        draining,
        terms,
    } = seat;
    let io = Guarded::new(io, client.clone(), terms.timeouts, terms.max_head);
    let tunnels = client.clone();
    let served = ServedClient::new(worker, client);
    let service = service_fn(move |request| {
        let answer = serve(served.clone(), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(io, service)
        .with_upgrades();
    let shut_down = http1::UpgradeableConnection::graceful_shutdown;
    until_drained(served, shut_down, &tunnels, draining).await
}

async fn serve_h2<S: Io>(io: S, client: Arc<Client>, seat: Seat) -> Result<(), String> {
    let Seat {
        worker,
        draining,
        terms,
    } = seat;
    let stall = Silence::of(&worker.gate.lease().plan);
    let io = GuardedH2::new(io, client.clone(), terms.timeouts, stall, terms.max_head);
    let tunnels = client.clone();
    let served = ServedClient::new(worker, client);
    let service = service_fn(move |request| {
        let answer = serve(served.clone(), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(terms.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128)
        .keep_alive_interval(PING_EVERY)
        .enable_connect_protocol()
        .serve_connection(io, service);
    until_drained(
        served,
        http2::Connection::graceful_shutdown,
        &tunnels,
        draining,
    )
    .await
}

/// Serves until the client or a fault ends the connection. Once the gateway drains, the exchanges in flight are its last.
async fn until_drained<C>(
    served: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    client: &Client,
    mut draining: watch::Receiver<bool>,
) -> Result<(), String>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        _ = draining.wait_for(|draining| *draining) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            shut_down(served.as_mut());
            served.await
        }
    };
    client.without_tunnels().await;
    ended.map_err(|e| e.to_string())
}
