//! WebSocket: the handshake passes all plugins like any request; after the server's 101 the two ends are joined.
//! Never before it: no byte is tunnelled that the server did not agree to (RUSTSEC-2026-0033).
//!
//! ```text
//! read the handshake → (plugins) → open: take a place, ask the server, check its 101 → start: relay until the end
//! ```

mod begun;
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

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portcullis_config::plan::WebSocketPlan;
use portcullis_exchange::Exchange;
use tokio::sync::watch;

use crate::ground::body::collect;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::record::SocketRecord;
use crate::stages::clearance::Clearance;
use crate::stages::content::{self, Content, Takeover};
use crate::stages::forward::{Forwarding, host_for, upstream_request};
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::response_body::UpstreamBody;
use crate::upstreams::response_head;
use crate::upstreams::send::{Answer, Policy, Progress, Sending, rehearse};
use crate::upstreams::servers::{Ticket, Upstream};
use crate::wire::guard::{Busy, Client};
use crate::wire::tls::Stream;

use begun::Begun;
use ending::Ending;
use relay::{Bounds, Relay};
use sockets::Slot;

pub(crate) use handshake::Handshake;
pub(crate) use metrics::SocketFamilies;
pub use sockets::Sockets;

/// A request that may become a tunnel: what the client asked for, and its half of the connection.
pub(crate) struct Wish {
    handshake: Handshake,
    client: OnUpgrade,
}

/// Both halves, agreed. It begins when the response that says so is handed to the client.
struct Tunnel {
    client: OnUpgrade,
    server: Stream,
    /// What the server has sent already.
    begun: Bytes,
    bounds: Bounds,
    route: Arc<str>,
    families: SocketFamilies,
    draining: watch::Receiver<bool>,
    ticket: Ticket,
    slot: Slot,
}

/// What the WebSockets of a route go by.
#[derive(Debug)]
pub(crate) struct SocketRules {
    pub(crate) route: Arc<str>,
    pub(crate) plan: WebSocketPlan,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) families: SocketFamilies,
}

/// What joining a client to a server needs besides forwarding.
pub(crate) struct Ends<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) rules: &'a SocketRules,
    /// True once the gateway is shutting down.
    pub(crate) draining: &'a watch::Receiver<bool>,
}

/// Takes the client's half out of a request that may become a tunnel.
pub(crate) fn prepare(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let may = request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
    may.then(|| hyper::upgrade::on(request))
}

/// Offers the handshake to the upstream; agrees on a tunnel if it does, passes its answer on if not.
pub(crate) async fn open(
    clearance: Clearance,
    x: &mut Exchange,
    mut f: Forwarding<'_>,
    wish: Wish,
    ends: Ends<'_>,
) -> Result<Response<Content>, Refusal> {
    let Ends { client, rules, .. } = ends;
    let upstream = f.upstream;
    f.journal.rewritten(clearance.rewritten_from(x));
    let slot = rules.sockets.admit(&rules.plan, x)?;
    if f.sender.rehearses {
        let key = upstream.key(x);
        return Err(rehearse(x.trail.as_ref(), &x.method, upstream, key));
    }
    let mut request = upstream_request(x, RequestBody::empty(), &f);
    let added = f.provenance.added(&x.request_id);
    added.insert_into(request.headers_mut());
    let key = wish.handshake.ask(request.headers_mut());
    let asked = request.headers().clone();
    let answer = send(&mut request, x, &mut f).await?;
    if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return declined(answer, upstream, &wish.handshake).await;
    }
    let Answer {
        response,
        connection,
        ticket,
        ..
    } = answer;
    let (server, begun) = connection
        .into_stream()
        .ok_or_else(|| Refusal::new(Reason::UpstreamBroken))?;
    let agreed = handshake::check(&asked, &key, response.headers())
        .map_err(|text| Refusal::new(Reason::UpstreamBroken).because(text))?;
    if client.fault.get().is_some() {
        // The client did not wait for the answer; what it sent is no tunnel's (RFC 6455 section 4.1).
        return Err(Refusal::new(Reason::MalformedRequest).closing());
    }
    let tunnel = Tunnel {
        client: wish.client,
        server,
        begun,
        bounds: Bounds::of(&rules.plan, agreed.compressed, upstream.timeouts.idle),
        route: rules.route.clone(),
        families: rules.families.clone(),
        draining: ends.draining.clone(),
        ticket,
        slot,
    };
    client.become_raw();
    let (_, mut headers) = response_head::split(response);
    let status = wish.handshake.answer(&mut headers);
    let content = Content::Tunnel(Box::new(tunnel));
    Ok(content::response(status, headers, content))
}

/// Sends the handshake: a try and a place like those of any request to this upstream.
async fn send(
    request: &mut Request<RequestBody>,
    x: &Exchange,
    f: &mut Forwarding<'_>,
) -> Result<Answer, Refusal> {
    let upstream = f.upstream;
    let (key, end) = (
        upstream.key(x),
        f.deadline.or(f.journal.began() + upstream.timeouts.total),
    );
    let entered = upstream.enter(end).await?;
    let sending = Sending {
        sender: f.sender,
        upstream,
        policy: Policy::handshake(),
        key,
        end,
        deadline: f.deadline,
        watch: f.watch,
        max_body: 0,
        host: host_for(upstream, x, &f.provenance),
        added: None,
        trail: x.trail.as_ref(),
    };
    let progress = Progress {
        server: &mut f.journal.record.server,
        call: None,
    };
    let mut answer = sending.send(&entered, request, progress).await?;
    f.journal.hold(entered.into_place());
    let headers = answer.response.headers_mut();
    upstream.stick(key, &answer.ticket, x.scheme == "https", headers);
    Ok(answer)
}

/// The upstream did not switch: its answer is a small ordinary response.
async fn declined(
    answer: Answer,
    upstream: &Upstream,
    handshake: &Handshake,
) -> Result<Response<Content>, Refusal> {
    const LIMIT: usize = 1024 * 1024;
    let Answer {
        response,
        connection,
        ticket,
        ..
    } = answer;
    let (status, headers) = response_head::split(response);
    let times = upstream.timeouts;
    let end = Instant::now() + times.total;
    let body = collect(
        UpstreamBody::new(connection, ticket, times.idle, end),
        LIMIT,
    )
    .await;
    let bytes = body
        .ok()
        .flatten()
        .ok_or_else(|| Refusal::new(Reason::UpstreamBroken))?;
    let answer = content::response(status, headers, Content::full(bytes));
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

// === impl Wish ===

impl Wish {
    pub(crate) fn of(client: Option<OnUpgrade>, handshake: Option<Handshake>) -> Option<Wish> {
        let (client, handshake) = client.zip(handshake)?;
        Some(Wish { handshake, client })
    }
}

// === impl Tunnel ===

impl Takeover for Tunnel {
    /// It ends with either end, with its bounds, or with the worker, which waits for it through its client. What it
    /// shared with other requests it holds no longer: a generation is not kept alive by its sockets.
    fn begin(self: Box<Self>, mut journal: Box<Journal>, busy: Busy) {
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
}

impl Tunnel {
    /// None: there never were two ends.
    async fn run(self) -> Option<(Ending, SocketRecord)> {
        let Tunnel {
            client,
            server,
            begun,
            bounds,
            route,
            families,
            mut draining,
            ticket,
            slot,
        } = self;
        let client = TokioIo::new(client.await.ok()?);
        let server = Begun::new(begun, server);
        let mut relay = Relay::new(client, server, bounds, families.open(&route));
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
        families.ended(&route, ending);
        drop((ticket, slot));
        let account = SocketRecord {
            ended: ending.as_str(),
            code: relay.code,
            passed: relay.passed(),
        };
        Some((ending, account))
    }
}
