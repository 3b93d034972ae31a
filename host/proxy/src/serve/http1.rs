//! An HTTP/1 connection of a client.
//!
//! hyper needs some 20 KiB for it. So there is a hyper only while there is something to do: a new connection, and one
//! that has been silent for a while, is parked, which is a guard that waits for a request head. hyper has no memory of
//! earlier requests but whether the connection may go on, and one that may not is never parked.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::Write;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::service_fn;

use super::connection::Seat;
use super::drain::{DrainSignal, wait};
use super::warm::WarmSlot;
use crate::pipeline::course::ServedClient;
use crate::pipeline::exchange::serve;
use crate::pipeline::worker::Worker;
use crate::wire::guard::{Client, Guarded, Io, Rest};

/// How a time with hyper ended.
enum Pause<S> {
    Parked(Box<Guarded<S>>),
    Ended(hyper::Result<()>),
    /// hyper had bytes that are no request.
    Leftover,
}

/// Serves until the client or a fault ends the connection. Once the gateway drains, the exchanges in flight are its last.
pub(super) async fn serve_http1<S: Io>(
    io: S,
    client: Arc<Client>,
    seat: Seat,
) -> Result<(), String> {
    let Seat {
        worker,
        draining,
        terms,
        warm,
    } = seat;
    let wait = pin!(wait(draining.clone()));
    let mut drain = DrainSignal::new(&draining, wait);
    let mut slot = warm.slot();
    let guard = Guarded::new(io, client.clone(), terms.timeouts, terms.max_head);
    let served = ServedClient::new(worker.clone(), client.clone());
    let mut guard = Box::new(guard);
    loop {
        if !has_request(&mut guard, &mut drain, &worker).await? {
            return shut_down(guard).await;
        }
        guard = match exchanges(guard, served.clone(), &mut drain, &mut slot).await {
            Pause::Parked(guard) => guard,
            Pause::Ended(ended) => {
                client.without_tunnels().await;
                return ended.map_err(|e| e.to_string());
            }
            Pause::Leftover => return Err("bytes were left of a request".to_owned()),
        };
    }
}

/// Waits for a request. False: there is none to come, or the gateway drains.
async fn has_request<S: Io>(
    guard: &mut Guarded<S>,
    drain: &mut DrainSignal<'_>,
    worker: &Worker,
) -> Result<bool, String> {
    let _parked = worker.gate.metrics.clients.parked();
    let next = std::future::poll_fn(|cx| match guard.poll_request(cx) {
        // What is here already is served.
        Poll::Pending if drain.has_begun(cx) => Poll::Ready(Ok(false)),
        next => next,
    });
    next.await.map_err(|e| e.to_string())
}

async fn shut_down<S: Io>(mut guard: Box<Guarded<S>>) -> Result<(), String> {
    let done = std::future::poll_fn(|cx| Pin::new(&mut guard).poll_shutdown(cx));
    done.await.map_err(|e| e.to_string())
}

/// Serves requests until there is none for a while.
async fn exchanges<S: Io>(
    guard: Box<Guarded<S>>,
    served: Arc<ServedClient>,
    drain: &mut DrainSignal<'_>,
    slot: &mut WarmSlot,
) -> Pause<S> {
    let client = served.client.clone();
    let service = service_fn(move |request| {
        let served = served.clone();
        // Called inside: a future that is captured would be there twice, and be copied from one place to the other.
        async move { Ok::<_, Infallible>(serve(served, request).await) }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(guard, service)
        .with_upgrades();
    // On the heap, and only for as long as there is one.
    let mut connection = Box::new(connection);
    let mut last = false;
    let ended = std::future::poll_fn(|cx| {
        slot.leave();
        let turn = |connection: &mut UpgradeableConnection<_, _>, cx: &mut Context<'_>| {
            Pin::new(connection).poll(cx).map(Some)
        };
        let mut ended = turn(&mut connection, cx);
        // After the turn: the request that woke it has begun, and is answered.
        if ended.is_pending() && !last && drain.has_begun(cx) {
            last = true;
            Pin::new(&mut *connection).graceful_shutdown();
            ended = turn(&mut connection, cx);
        }
        if ended.is_ready() || last || !client.is_idle() {
            return ended;
        }
        let crowded = !slot.take();
        // Whether hyper waits for a request shows when it wants to read, which it did before it answered.
        if crowded && client.rest() == Rest::No {
            ended = turn(&mut connection, cx);
        }
        match client.rest() {
            _ if ended.is_ready() => ended,
            Rest::Long => Poll::Ready(None),
            Rest::Waits if crowded => Poll::Ready(None),
            _ => Poll::Pending,
        }
    });
    if let Some(ended) = ended.await {
        return Pause::Ended(ended);
    }
    slot.leave();
    // One that became a tunnel never rests.
    let Some(parts) = connection.into_parts() else {
        return Pause::Ended(Ok(()));
    };
    let mut guard = parts.io;
    match guard.park(&parts.read_buf) {
        Some(()) => Pause::Parked(guard),
        None => Pause::Leftover,
    }
}
