//! One connection of a client: its handshake, its protocol, and its end when the gateway drains.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use portcullis_config::plan::Timeouts;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::http1::serve_http1;
use super::http2::serve_h2;
use super::warm::Warm;
use crate::pipeline::worker::Worker;
use crate::wire::guard::Client;
use crate::wire::protocol::Protocol;
use crate::wire::tls::Accepted;

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
pub(super) struct Seat {
    pub(super) worker: Arc<Worker>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) terms: Terms,
    pub(super) warm: Warm,
}

/// Serves a connection until it ends.
///
/// A task is as large as the largest thing it ever does. What few connections need, or none for long, is in a box.
pub(super) async fn serve_connection(arrival: Arrival, seat: Seat) {
    let Arrival {
        tcp,
        peer,
        protocol,
        slot,
    } = arrival;
    let open = seat.worker.gate.metrics.clients.accepted(protocol);
    let tcp = TcpStream::from_std(tcp).and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
    let clear = || Arc::new(Client::new(peer, None));
    let ended = match (tcp, protocol) {
        (Err(error), _) => Err(error.to_string()),
        (Ok(tcp), Protocol::Http1) => serve_http1(tcp, clear(), seat).await,
        (Ok(tcp), Protocol::H2c) => Box::pin(serve_h2(tcp, clear(), seat)).await,
        (Ok(tcp), Protocol::Https) => Box::pin(serve_tls(tcp, peer, seat)).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "a connection ended early");
    }
    drop((open, slot));
}

async fn serve_tls(tcp: TcpStream, peer: SocketAddr, seat: Seat) -> Result<(), String> {
    let Accepted {
        stream,
        secured,
        h2,
    } = Box::pin(handshake(tcp, &seat.worker)).await?;
    let client = Arc::new(Client::new(peer, Some(secured)));
    if h2 {
        Box::pin(serve_h2(stream, client, seat)).await
    } else {
        Box::pin(serve_http1(stream, client, seat)).await
    }
}

/// The handshake takes the certificates that serve now; the connection keeps what came of it.
async fn handshake(tcp: TcpStream, worker: &Worker) -> Result<Accepted, String> {
    let Some(termination) = worker.gate.lease().tls.clone() else {
        return Err("the configuration has no [tls] any more".to_owned());
    };
    let clients = &worker.gate.metrics.clients;
    let began = Instant::now();
    let accepted = termination.accept(tcp).await.map_err(|failed| {
        clients.handshake_failed(&failed);
        failed.to_string()
    })?;
    clients.handshake_done(began.elapsed());
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle connection is this task, its guard and its socket: with the 16 KiB of hyper's buffers gone, a future that
    /// grows by a local of a rare path would be most of it.
    #[test]
    fn an_idle_connection_is_a_small_task() {
        fn of<A, B, F>(_: impl Fn(A, B) -> F) -> usize {
            size_of::<F>()
        }
        let task = of(serve_connection);
        assert!(task <= 1152, "{task} bytes");
        let guard = size_of::<crate::wire::guard::Guarded<TcpStream>>();
        assert!(guard <= 512, "{guard} bytes");
    }
}
