//! Forwarding: from a permit to a response, over as many servers as it takes.

mod attempt;
mod hedge;
mod rehearsal;
mod retry;
mod spare;

use std::sync::Arc;
use std::time::Instant;

use http::header::{HOST, HeaderValue, TRAILER};
use http::{Request, Response};
use hyper::body::Body as _;
use portcullis_config::plan::Timeouts;
use portcullis_runtime::Exchange;

use self::attempt::{Answer, Run};
pub(crate) use self::rehearsal::{NOT_ASKED, rehearse};
use self::spare::keep_body;
use crate::ground::deadline::Deadline;
use crate::ground::events;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::pipeline::exchange::response_head;
use crate::pipeline::gate::Worker;
use crate::stages::body::{Content, RequestBody, Watch};
use crate::stages::forwarded::{Provenance, X_REQUEST_ID};
use crate::stages::permit::Permit;
use crate::upstreams::connection::UpstreamBody;
use crate::upstreams::servers::{Ticket, Upstream};
use crate::wire::guard::Client;

/// What forwarding needs beside the exchange.
pub(crate) struct Forwarding<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) watch: &'a Arc<Watch>,
    pub(crate) upstream: &'a Arc<Upstream>,
    pub(crate) provenance: Provenance,
    pub(crate) deadline: &'a Deadline,
    /// Response filters may look at the request again.
    pub(crate) keep_request: bool,
    pub(crate) journal: &'a mut Journal,
}

/// Sends the request of a permit to its upstream.
pub(crate) async fn forward(
    permit: Permit,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
) -> Result<Response<Content>, Refusal> {
    let route = permit.route().clone();
    let (upstream, shield) = (f.upstream, &f.upstream.shield);
    f.journal.rewritten(permit.rewritten_from(x));
    if f.worker.gate.rehearses {
        return Err(rehearse(x, upstream));
    }
    let end = f.deadline.or(f.journal.began() + upstream.timeouts.total);
    f.journal.hold(shield.enter(end).await?);
    let body = keep_body(&x.method, body, &route.retry).await?;
    let key = upstream.key(x);
    let mut request = upstream_request(x, body, &f);
    if let Some(mirror) = &route.mirror {
        request = mirror.copy(request, x);
    }
    let run = Run {
        upstream,
        shield,
        retry: &route.retry,
        key,
        worker: f.worker,
        watch: f.watch,
        end,
        deadline: f.deadline,
        max_body: route.max_body,
        x,
        provenance: &f.provenance,
    };
    let mut answer = retry::send(&run, request, f.journal).await?;
    f.journal.server = Some(answer.ticket.server().address.clone());
    let headers = answer.response.headers_mut();
    upstream.stick(key, &answer.ticket, x.scheme == "https", headers);
    // A stream of events has no end of its own; only a deadline that somebody set bounds it.
    let end = if events::is_stream(headers) {
        f.deadline.or(events::never())
    } else {
        end
    };
    Ok(stream(answer, upstream.timeouts, end))
}

/// The request as it leaves: the exchange's own headers, and what the gateway adds.
pub(crate) fn upstream_request(
    x: &mut Exchange,
    body: RequestBody,
    f: &Forwarding<'_>,
) -> Request<RequestBody> {
    let streamed = matches!(body, RequestBody::Client { .. });
    let mut request = Request::new(body);
    *request.method_mut() = x.method.clone();
    *request.uri_mut() = x.target.to_path_and_query().into();
    *request.headers_mut() = if f.keep_request {
        x.request.clone()
    } else {
        std::mem::take(&mut x.request)
    };
    let headers = request.headers_mut();
    if !streamed {
        // What announced trailers was read whole, without them.
        headers.remove(TRAILER);
    }
    f.provenance.write(headers);
    if let Ok(id) = HeaderValue::from_str(&x.request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    request
}

pub(crate) fn write_host(
    request: &mut Request<RequestBody>,
    x: &Exchange,
    upstream: &Upstream,
    ticket: &Ticket,
    provenance: &Provenance,
) {
    let host = if upstream.preserve_host && !x.host.is_empty() {
        provenance.sent_host()
    } else {
        &ticket.server().host
    };
    if let Ok(value) = HeaderValue::from_str(host) {
        request.headers_mut().insert(HOST, value);
    }
}

/// The response for the client; its body comes over the server's connection.
fn stream(answer: Answer, times: Timeouts, end: Instant) -> Response<Content> {
    let Answer {
        response,
        connection,
        ticket,
    } = answer;
    let (head, incoming) = response_head(response);
    let left = end.saturating_duration_since(Instant::now());
    let timer = Box::pin(tokio::time::sleep(times.idle.min(left)));
    let body = UpstreamBody::new(incoming, connection, ticket, timer, times.idle, end);
    let content = if body.is_end_stream() {
        Content::Full(None)
    } else {
        Content::Upstream(Box::new(body))
    };
    let mut response = Response::new(content);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}
