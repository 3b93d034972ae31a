//! An HTTP/2 connection of a client.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connection::Seat;
use super::drain::{DrainSignal, wait};
use crate::pipeline::course::ServedClient;
use crate::pipeline::exchange::serve;
use crate::wire::guard::{Client, GuardedH2, Io, Silence};

/// Streams open at once, and how much of each is read ahead.
const STREAMS: u32 = 128;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves until the client or a fault ends the connection. Once the gateway drains, the exchanges in flight are its last.
pub(super) async fn serve_h2<S: Io>(io: S, client: Arc<Client>, seat: Seat) -> Result<(), String> {
    let Seat {
        worker,
        draining,
        terms,
        ..
    } = seat;
    let stall = Silence::of(&worker.gate.lease().plan);
    let (io, flush) = GuardedH2::new(io, client.clone(), terms.timeouts, stall, terms.max_head);
    let tunnels = client.clone();
    let served = ServedClient::new(worker, client);
    let service = service_fn(move |request| {
        let served = served.clone();
        // In a box: on its way to its task it is moved more than once.
        Box::pin(async move { Ok::<_, Infallible>(serve(served, request).await) })
    });
    let connection = http2::Builder::new(TokioExecutor::new())
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
    let mut connection = pin!(connection);
    let wait = pin!(wait(draining.clone()));
    let mut drain = DrainSignal::new(&draining, wait);
    let mut last = false;
    let ended = std::future::poll_fn(|cx| {
        if !last && drain.has_begun(cx) {
            last = true;
            connection.as_mut().graceful_shutdown();
        }
        let ended = connection.as_mut().poll(cx);
        // What does not go out now goes out in a later turn: the socket wakes this task for it.
        let flushed = flush.poll(cx);
        match (ended, flushed) {
            (Poll::Ready(ended), _) => Poll::Ready(ended.map_err(|e| e.to_string())),
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error.to_string())),
            (Poll::Pending, _) => Poll::Pending,
        }
    });
    let ended = ended.await;
    tunnels.without_tunnels().await;
    ended
}
