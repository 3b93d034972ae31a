//! The request's way. One function, read from top to bottom:
//!
//! ```text
//! admit → find route → edge (addresses, preflight, maintenance) → shed → limit by address → authenticate → authorize
//!       → limit by caller → filters (request) → handler | redirect | respond | cache, forward
//!       → filters (response, reversed) → edge (CORS, compression) → journal
//! ```

use std::sync::Arc;

use http::header::HeaderValue;
use http::{Method, Request, Response, Version};
use hyper::body::{Body as _, Incoming};
use portcullis_runtime::{Exchange, Outcome, Reply, ResponseHead, Side};

use crate::admit::{Admitted, Peer, admit};
use crate::body::{Content, Problem, RequestBody, ResponseBody, Watch};
use crate::cache;
use crate::deadline::Deadline;
use crate::edge::{self, Answers, Edge};
use crate::filters::{Filters, body_for};
use crate::forward::Forwarding;
use crate::forwarded;
use crate::gate::Worker;
use crate::generation::{Generation, Route};
use crate::guard::Client;
use crate::journal::Journal;
use crate::limits;
use crate::outbound::Calls;
use crate::permit::Permit;
use crate::refusal::{Reason, Refusal};
use crate::router::{NotFound, Wanted};
use crate::sift::strip_hop_by_hop;
use crate::trace::{self, Trace};
use crate::tunnel::{self, Handshake, Wish};
use crate::{grpc, tls, trailers};

/// Answers one request. Never fails: a refusal is a response too.
pub async fn serve(
    worker: Arc<Worker>,
    client: Arc<Client>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (busy, fault) = client.begin();
    let grpc = grpc::is_spoken(&request);
    let generation = worker.gate.lease();
    let peer = Peer::of(&client, &generation);
    let request_id =
        worker.request_id(forwarded::request_id(request.headers()).filter(|_| peer.is_trusted()));
    let archive = worker.gate.archive.clone();
    let mut journal = Box::new(Journal::open(
        archive,
        peer.ip,
        request.method().clone(),
        if fault.is_some() {
            ""
        } else {
            request.uri().path()
        },
        request_id.clone(),
    ));
    journal.trace = Trace::begin(
        &worker.gate,
        &generation,
        peer,
        &mut request,
        journal.began(),
    );
    let answer = match fault {
        Some(fault) => Err(Refusal::of_wire(fault)),
        None => Box::pin(pass(&worker, &client, &generation, request, &mut journal)).await,
    };
    let answer = answer.map_err(|refusal| blame_the_wire(&client, refusal));
    let (mut parts, content) = match answer {
        Ok(response) => response.into_parts(),
        Err(refusal) => {
            journal.refuse(&refusal);
            let mut response = refusal.to_response(&request_id).map(Content::full);
            if refusal.close {
                response
                    .headers_mut()
                    .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
            if grpc {
                response = grpc::refusal(&refusal, response);
            }
            response.into_parts()
        }
    };
    tls::tell_to_come_by_https(&client, &generation, &mut parts.headers);
    let content = journal.tap(&parts.headers, content);
    let content = std::mem::take(&mut journal.edge).leave(&mut parts, content);
    journal.headed(&parts);
    journal.limited.tell(&mut parts.headers);
    trace::tell(&journal, &mut parts.headers);
    Response::from_parts(parts, ResponseBody::new(content, journal, busy, generation))
}

/// The way itself. Each line yields what the next one needs; the first refusal ends it.
async fn pass(
    worker: &Arc<Worker>,
    client: &Arc<Client>,
    generation: &Arc<Generation>,
    mut request: Request<Incoming>,
    journal: &mut Journal,
) -> Result<Response<Content>, Refusal> {
    let version = request.version();
    let upgrade = tunnel::prepare(&mut request);
    let (parts, incoming) = request.into_parts();
    let peer = Peer::of(client, generation);
    let admitted = admit(parts, peer, journal.request_id.clone())?;
    let Admitted {
        exchange: mut x,
        provenance,
        handshake,
        doubts,
    } = admitted;
    let connects = handshake == Some(Handshake::Connect);
    let wish = Wish::of(upgrade, handshake);
    journal.admitted(&mut x, doubts);

    edge::come_in(generation, &x)?;
    let route = find(generation, &mut x)?;
    journal.routed(&route, &mut x);
    journal.edge = Edge::of(&route, &x);
    let socket = wish.is_some().then(|| provenance.hosts());
    if let Some(preflight) = edge::enter(&route, &x, socket)? {
        return Ok(preflight);
    }
    if let Some(elsewhere) = tls::redirect(&route, generation, &x, &provenance)? {
        return Ok(elsewhere);
    }
    let (own, name) = (route.deadline, generation.deadline_header.as_ref());
    let deadline = Deadline::of(&x.request, own, name, journal.began())?;
    worker.shed(generation, &route)?;
    limits::by_address(&route, &x, journal).await?;
    journal.hold(route.enter(&deadline).await?);
    x.outbound = Some(Calls::port(worker, generation, &deadline, &x));

    let permit = Permit::obtain(&route, &mut x).await;
    journal.caller = x.caller.as_ref().map(|caller| caller.id.clone());
    let permit = permit?;
    limits::by_caller(&route, &x, journal).await?;

    let watch = journal.watch(&route, &x);
    let body = bounded(incoming, &route, &watch)?;

    let mut filters = Filters::of(&route);
    let (body, early) = filters.request(&mut x, body).await?;
    filters.narrow(&mut x);

    let head = x.method == Method::HEAD;
    let answers = match early {
        Some(reply) => Answers::Here(reply),
        None => route.answer.to(&x)?,
    };
    let mut response = match answers {
        Answers::Here(reply) => plain(reply),
        Answers::Handler(handler) => {
            x.request_body = body_for(handler, body, route.max_body).await?;
            let reply = handler.handle(&mut x).await;
            plain(reply.map_err(|error| Refusal::from_call(handler.name(), error))?)
        }
        Answers::Upstream(upstream) => {
            journal.upstream = Some(upstream.name.clone());
            let keep_request = filters.see_responses();
            let forwarding = Forwarding {
                worker,
                client,
                watch: &watch,
                upstream,
                provenance,
                deadline: &deadline,
                keep_request,
                journal,
            };
            match wish {
                Some(wish) => tunnel::open(permit, &mut x, forwarding, wish).await?,
                None => cache::through(permit, &mut x, body, forwarding).await?,
            }
        }
    };
    response = filters.response(&mut x, response, head).await?;
    journal.not_in_trailers = std::mem::take(&mut x.changed_response_headers);
    response = tunnel::settled(response, connects)?;
    finish(&mut response, version, &watch);
    Ok(response)
}

/// Finds the route and names it in the exchange.
fn find(generation: &Generation, x: &mut Exchange) -> Result<Arc<Route>, Refusal> {
    if x.host.is_empty() && generation.router.asks_for_hosts() {
        // Which route is meant hangs on the host: none is not the way round those that have one.
        return Err(Refusal::new(Reason::InvalidRequest)
            .detail("the request names no host, and what is served here depends on it"));
    }
    if let Some(name) = generation.router.ambiguous_parameter(&x.target) {
        return Err(Refusal::new(Reason::InvalidRequest).detail(format!(
            "the query may say `{name}` twice, or in a way that services read differently, and what is served here depends on it"
        )));
    }
    let wanted = Wanted {
        host: &x.host,
        target: &x.target,
        method: &x.method,
        headers: &x.request,
    };
    let found = match edge::preflight_route(generation, x) {
        Some(found) => Ok(found),
        None => generation.router.find(wanted),
    };
    let found = found.map_err(|problem| match problem {
        NotFound::Path => Refusal::new(Reason::RouteNotFound),
        NotFound::Method(allowed) => Refusal::method_not_allowed(&allowed),
    })?;
    let route = generation.routes[found.route].clone();
    x.params = found.params;
    x.route = route.name.clone();
    Ok(route)
}

/// The request body with its limit; one that says beforehand that it is too large is not begun.
fn bounded(incoming: Incoming, route: &Route, watch: &Arc<Watch>) -> Result<RequestBody, Refusal> {
    if incoming.size_hint().lower() > route.max_body {
        return Err(Refusal::new(Reason::BodyTooLarge)
            .detail(format!(
                "the body may have at most {} bytes",
                route.max_body
            ))
            .closing());
    }
    Ok(RequestBody::client(incoming, route.max_body, watch.clone()))
}

fn plain(reply: Reply) -> Response<Content> {
    let mut response = Response::new(Content::full(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// The last touch on a response head.
fn finish(response: &mut Response<Content>, version: Version, watch: &Watch) {
    let switching = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    if version < Version::HTTP_2 && !switching && !watch.has_ended() {
        // The rest of the request body will not be read: the connection cannot be used again (RFC 9112 section 9.6).
        response
            .headers_mut()
            .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A body that was malformed or too slow shows up as a failure further on; the client is told the cause.
fn blame_the_wire(client: &Client, refusal: Refusal) -> Refusal {
    match client.fault.get() {
        Some(fault) => Refusal::of_wire(*fault),
        None => refusal,
    }
}

/// What a request body's failure means for the exchange.
pub(crate) fn body_refusal(problem: Problem, limit: u64) -> Refusal {
    match problem {
        Problem::TooLarge => Refusal::new(Reason::BodyTooLarge)
            .detail(format!("the body may have at most {limit} bytes"))
            .closing(),
        Problem::Broken => Refusal::new(Reason::MalformedRequest)
            .detail("the request body broke off or is not valid")
            .closing(),
    }
}

/// Takes the head of an upstream's response into the exchange, without what belongs to the connection.
pub(crate) fn response_head<B>(response: Response<B>) -> (ResponseHead, B) {
    let (mut parts, body) = response.into_parts();
    let length = parts.headers.remove(http::header::CONTENT_LENGTH);
    let trailers = trailers::announced(&parts.headers, Side::Response);
    strip_hop_by_hop(&mut parts.headers);
    let headers = trailers.map(|names| (http::header::TRAILER, names));
    parts.headers.extend(headers);
    if let Some(length) = length {
        parts.headers.insert(http::header::CONTENT_LENGTH, length);
    }
    forwarded::write_via(&mut parts.headers, forwarded::via_protocol(parts.version));
    (
        ResponseHead {
            status: parts.status,
            headers: parts.headers,
        },
        body,
    )
}

/// Whether a filter went on or answered itself.
pub(crate) fn reply_of(outcome: Outcome) -> Option<Reply> {
    match outcome {
        Outcome::Next => None,
        Outcome::Respond(reply) => Some(reply),
    }
}
