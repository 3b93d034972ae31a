//! Listening and serving: one task accepts, each worker thread serves its connections on a reactor of its own.
//!
//! Whole connections are handed to the worker with the fewest, so an exchange never crosses threads, needs no lock,
//! and reuses its worker's upstream connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use portcullis_config::plan::{Listen, Timeouts};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::pipeline::exchange::serve;
use crate::pipeline::gate::Gate;
use crate::pipeline::worker::Worker;
use crate::wire::guard::{Client, Guarded, GuardedH2, Io, Silence};
use crate::wire::protocol::Protocol;
use crate::wire::tls::Secured;

/// The serving threads. Each ends when its inbox is closed and its connections are done.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Handle>,
    drain: watch::Sender<bool>,
}

#[derive(Debug)]
struct Handle {
    inbox: mpsc::UnboundedSender<Arrival>,
    connections: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

#[derive(Debug)]
struct Arrival {
    tcp: std::net::TcpStream,
    peer: SocketAddr,
    protocol: Protocol,
    slot: OwnedSemaphorePermit,
}

/// What a connection needs to know of gateway.toml; taken at the start, so a change needs a restart.
#[derive(Debug, Clone, Copy)]
struct Terms {
    timeouts: Timeouts,
    max_head: usize,
}

/// HTTP/2: streams open at once, and how much of each is read ahead.
const STREAMS: u32 = 128;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long accepting pauses when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Workers {
    pub fn start(
        gate: &Arc<Gate>,
        listen: &Listen,
        timeouts: Timeouts,
    ) -> std::io::Result<Workers> {
        let (drain, draining) = watch::channel(false);
        let terms = Terms {
            timeouts,
            max_head: listen.max_head,
        };
        let start = |index| {
            let (inbox, arrivals) = mpsc::unbounded_channel();
            let connections = Arc::new(AtomicUsize::new(0));
            let worker = Arc::new(Worker::new(index, gate.clone(), draining.clone()));
            let (counted, draining) = (connections.clone(), draining.clone());
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || run(worker, arrivals, counted, draining, terms))?;
            Ok(Handle {
                inbox,
                connections,
                thread,
            })
        };
        let workers = (0..listen.workers.max(1))
            .map(start)
            .collect::<std::io::Result<Vec<Handle>>>()?;
        Ok(Workers { workers, drain })
    }

    /// Accepts until the future is dropped. Beyond `slots` new connections wait in the kernel's queue.
    pub async fn accept(&self, listener: &TcpListener, protocol: Protocol, slots: Arc<Semaphore>) {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((tcp, peer)) => self.hand_over(tcp, peer, protocol, slot),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn hand_over(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        protocol: Protocol,
        slot: OwnedSemaphorePermit,
    ) {
        let least = self
            .workers
            .iter()
            .min_by_key(|w| w.connections.load(Ordering::Relaxed));
        if let (Some(worker), Ok(tcp)) = (least, tcp.into_std()) {
            worker.connections.fetch_add(1, Ordering::Relaxed);
            // A worker that is gone is one that is shutting down: the connection is closed.
            drop(worker.inbox.send(Arrival {
                tcp,
                peer,
                protocol,
                slot,
            }));
        }
    }

    /// Lets exchanges in flight finish. True when all ended within `grace`; what is left is cut.
    pub async fn drain(self, grace: Duration) -> bool {
        // Nobody listens any more only where nothing is left to drain.
        let _ = self.drain.send(true);
        let threads: Vec<_> = self.workers.into_iter().map(|w| w.thread).collect();
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join())));
        tokio::time::timeout(grace, joined).await.is_ok()
    }
}

fn run(
    worker: Arc<Worker>,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
    connections: Arc<AtomicUsize>,
    draining: watch::Receiver<bool>,
    terms: Terms,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a worker could not start");
            return;
        }
    };
    runtime.block_on(async move {
        let gate = worker.gate.clone();
        let limits = move || gate.lease().plan.overload;
        let watching = tokio::spawn(worker.pressure.clone().watch(limits));
        let mut open = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    None => break,
                    Some(arrival) => {
                        let (worker, draining, counted) = (worker.clone(), draining.clone(), connections.clone());
                        open.spawn(async move {
                            connection(arrival, worker, draining, terms).await;
                            counted.fetch_sub(1, Ordering::Relaxed);
                        });
                    }
                },
                // Ended connections are collected as they end.
                Some(_) = open.join_next() => {}
            }
        }
        while open.join_next().await.is_some() {}
        watching.abort();
    });
}

/// What serving one connection takes beside its bytes.
struct Seat {
    worker: Arc<Worker>,
    draining: watch::Receiver<bool>,
    terms: Terms,
}

async fn connection(
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
    let service = service_fn(move |request| {
        let answer = serve(worker.clone(), client.clone(), request);
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
    let service = service_fn(move |request| {
        let answer = serve(worker.clone(), client.clone(), request);
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
