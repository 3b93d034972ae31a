//! Listening and serving: one task accepts, each worker thread serves its connections on a reactor of its own.
//!
//! Whole connections are handed to the worker with the fewest, so an exchange never crosses threads, needs no lock,
//! and reuses its worker's upstream connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_config::plan::{Listen, Timeouts};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::connection::{Arrival, Seat, Terms, serve_connection};
use super::warm::Warm;
use crate::pipeline::gate::Gate;
use crate::pipeline::worker::Worker;
use crate::wire::protocol::Protocol;

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
        let warm = Warm::default();
        loop {
            tokio::select! {
                arrival = arrivals.recv() => match arrival {
                    None => break,
                    Some(arrival) => {
                        let seat = Seat {
                            worker: worker.clone(),
                            draining: draining.clone(),
                            terms,
                            warm: warm.clone(),
                        };
                        let counted = connections.clone();
                        open.spawn(async move {
                            serve_connection(arrival, seat).await;
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
