//! WebSocket: the handshake passes all plugins like any request; after the server's 101 the two ends are joined.
//! Never before it: no byte is tunnelled that the server did not agree to (RUSTSEC-2026-0033).
//!
//! ```text
//! read the handshake → (plugins) → open: take a place, ask the server, check its 101 → start: relay until the end
//! ```

mod control;
mod ending;
mod frames;
mod handshake;
mod metrics;
mod relay;
mod sockets;
mod way;

use std::sync::Arc;
use std::time::Instant;

use http::header::UPGRADE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portcullis_runtime::Exchange;
use tokio::sync::watch;

use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::trace::{self, Turn};
use crate::pipeline::exchange::response_head;
use crate::pipeline::metrics::Metrics;
use crate::stages::body::{Content, RequestBody};
use crate::stages::forward::{Forwarding, rehearse, upstream_request, write_host};
use crate::stages::permit::Permit;
use crate::upstreams::connection::{SendError, send_once};
use crate::upstreams::servers::{Ticket, Upstream, Verdict};
use crate::wire::guard::Busy;

use ending::Ending;
use relay::{Bounds, Relay};
use sockets::Slot;

pub(crate) use handshake::Handshake;
pub(crate) use metrics::SocketFamilies;
pub use sockets::Sockets;
pub(crate) use way::Passed;

/// A request that may become a tunnel: what the client asked for, and its half of the connection.
pub(crate) struct Wish {
    handshake: Handshake,
    client: OnUpgrade,
}

/// Both halves, agreed. It begins when the response that says so is handed to the client.
pub struct Tunnel {
    client: OnUpgrade,
    server: OnUpgrade,
    bounds: Bounds,
    route: Arc<str>,
    metrics: Arc<Metrics>,
    draining: watch::Receiver<bool>,
    ticket: Ticket,
    slot: Slot,
}

/// What a socket was, for the log line at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) ended: &'static str,
    pub(crate) code: Option<u16>,
    /// From the client, and from the server.
    pub(crate) passed: [Passed; 2],
}

/// Takes the client's half out of a request that may become a tunnel.
pub(crate) fn prepare(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let may = request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
    may.then(|| hyper::upgrade::on(request))
}

/// Offers the handshake to the upstream; agrees on a tunnel if it does, passes its answer on if not.
pub(crate) async fn open(
    permit: Permit,
    x: &mut Exchange,
    mut f: Forwarding<'_>,
    wish: Wish,
) -> Result<Response<Content>, Refusal> {
    let route = permit.route();
    let upstream = f.upstream;
    f.journal.rewritten(permit.rewritten_from(x));
    let slot = route.sockets.admit(&route.websocket, x)?;
    if f.worker.gate.rehearses {
        return Err(rehearse(x, upstream));
    }
    let mut request = upstream_request(x, RequestBody::empty(), &f);
    let key = wish.handshake.ask(request.headers_mut());
    let asked = request.headers().clone();
    let (mut response, ticket) = send(request, x, upstream, &mut f).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return declined(response, &wish.handshake).await;
    }
    let agreed = handshake::check(&asked, &key, response.headers())
        .map_err(|text| Refusal::new(Reason::UpstreamBroken).because(text))?;
    if f.client.fault.get().is_some() {
        // The client did not wait for the answer; what it sent is no tunnel's (RFC 6455 section 4.1).
        return Err(Refusal::new(Reason::MalformedRequest).closing());
    }
    let plan = &route.websocket;
    let tunnel = Tunnel {
        client: wish.client,
        server: hyper::upgrade::on(&mut response),
        bounds: Bounds {
            max_message: plan.max_message,
            compressed: agreed.compressed,
            idle: plan.idle,
            ping: plan.ping,
            pong: plan.pong,
            stall: upstream.timeouts.idle,
        },
        route: route.name.clone(),
        metrics: f.worker.gate.archive.metrics.clone(),
        draining: f.worker.draining.clone(),
        ticket,
        slot,
    };
    f.client.become_raw();
    let (mut head, _) = response_head(response);
    let status = wish.handshake.answer(&mut head.headers);
    Ok(respond(
        status,
        head.headers,
        Content::Tunnel(Box::new(tunnel)),
    ))
}

/// Asks one server after the other until one was reached.
async fn send(
    mut request: Request<RequestBody>,
    x: &Exchange,
    upstream: &Upstream,
    f: &mut Forwarding<'_>,
) -> Result<(Response<Incoming>, Ticket), Refusal> {
    let times = upstream.timeouts;
    let key = upstream.key(x);
    let mut tried = Vec::new();
    let mut turn = Turn::default();
    while let Some(ticket) = upstream.pick(key, &tried, f.worker.index) {
        tried.push(ticket.server().clone());
        f.journal.server = Some(ticket.server().address.clone());
        write_host(&mut request, x, upstream, &ticket, &f.provenance);
        turn.number += 1;
        let step = trace::ask(x, upstream, ticket.server(), turn, &request);
        trace::mark(step.as_ref(), request.headers_mut());
        let limit = times.connect + times.first_byte;
        let began = Instant::now();
        let sent = tokio::time::timeout(limit, send_once(ticket.server(), request)).await;
        let (verdict, reason, text) = match sent {
            Ok(Ok(mut response)) => {
                let verdict = Verdict::Answered(response.status());
                upstream.tell(&ticket, verdict, began.elapsed());
                trace::answered(step, response.status());
                upstream.stick(key, &ticket, x.scheme == "https", response.headers_mut());
                return Ok((response, ticket));
            }
            Ok(Err(SendError::Unsent(unsent))) => {
                upstream.tell(&ticket, Verdict::Connect, began.elapsed());
                trace::ended(step, "unreachable");
                turn.because = "unreachable";
                request = *unsent;
                continue;
            }
            Ok(Err(SendError::Closed(error) | SendError::Broken(error))) => (
                Verdict::Closed,
                Reason::UpstreamUnreachable,
                error.to_string(),
            ),
            Err(_) => (Verdict::Timeout, Reason::UpstreamTimeout, String::new()),
        };
        upstream.tell(&ticket, verdict, began.elapsed());
        trace::ended(step, reason.as_str());
        return Err(Refusal::new(reason).because(format!(
            "{} of {}: {text}",
            ticket.server().address,
            upstream.name
        )));
    }
    Err(Refusal::new(Reason::UpstreamUnreachable)
        .because(format!("no server of {}", upstream.name)))
}

/// The upstream did not switch: its answer is a small ordinary response.
async fn declined(
    response: Response<Incoming>,
    handshake: &Handshake,
) -> Result<Response<Content>, Refusal> {
    const LIMIT: usize = 1024 * 1024;
    let (head, incoming) = response_head(response);
    let body = crate::stages::body::collect(incoming, LIMIT).await;
    let bytes = body
        .ok()
        .flatten()
        .ok_or_else(|| Refusal::new(Reason::UpstreamBroken))?;
    let answer = respond(head.status, head.headers, Content::full(bytes));
    settled(answer, *handshake == Handshake::Connect)
}

/// To an extended CONNECT a 2xx means a tunnel (RFC 8441 section 5): no other answer may look like one.
pub(crate) fn settled(
    response: Response<Content>,
    connects: bool,
) -> Result<Response<Content>, Refusal> {
    let is_tunnel = matches!(response.body(), Content::Tunnel(_));
    if connects && response.status().is_success() && !is_tunnel {
        return Err(Refusal::new(Reason::UpstreamBroken)
            .because(format!("{} instead of a WebSocket", response.status())));
    }
    Ok(response)
}

fn respond(status: StatusCode, headers: HeaderMap, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

// === impl Wish ===

impl Wish {
    pub(crate) fn of(client: Option<OnUpgrade>, handshake: Option<Handshake>) -> Option<Wish> {
        let (client, handshake) = client.zip(handshake)?;
        Some(Wish { handshake, client })
    }
}

// === impl Tunnel ===

impl Tunnel {
    /// Begins. It ends with either end, with its bounds, or with the worker, which waits for it through its client.
    /// What it shared with other requests it holds no longer: a generation is not kept alive by its sockets.
    pub(crate) fn start(self: Box<Self>, mut journal: Box<Journal>, busy: Busy) {
        journal.answered();
        let open = busy.tunnel();
        tokio::spawn(async move {
            let finished = match self.run().await {
                Some((ending, account)) => {
                    journal.tunnelled(account, ending.because());
                    !ending.is_broken()
                }
                // The client left before it read that it has a tunnel.
                None => false,
            };
            journal.close(finished);
            drop((open, busy));
        });
    }

    /// None: there never were two ends.
    async fn run(self) -> Option<(Ending, Account)> {
        let Tunnel {
            client,
            server,
            bounds,
            route,
            metrics,
            mut draining,
            ticket,
            slot,
        } = self;
        let (client, server) = tokio::try_join!(client, server).ok()?;
        let sockets = &metrics.sockets;
        let (client, server) = (TokioIo::new(client), TokioIo::new(server));
        let mut relay = Relay::new(client, server, bounds, sockets.open(&route));
        let drained = tokio::select! {
            ending = relay.run() => Some(ending),
            _ = draining.wait_for(|draining| *draining) => None,
        };
        let ending = match drained {
            Some(ending) => ending,
            None => {
                relay.end(Ending::Draining);
                relay.run().await
            }
        };
        sockets.ended(&route, ending);
        drop((ticket, slot));
        let account = Account {
            ended: ending.as_str(),
            code: relay.code,
            passed: relay.passed(),
        };
        Some((ending, account))
    }
}
