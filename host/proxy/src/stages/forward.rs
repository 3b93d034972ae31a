//! Forwarding: from a clearance to a response, through the sender.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderValue, TRAILER, VIA};
use http::{Request, Response};
use hyper::body::Body as _;
use portcullis_config::plan::{Retry, Timeouts};
use portcullis_exchange::Exchange;

use crate::ground::deadline::Deadline;
use crate::ground::events;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::observe::watch::Watch;
use crate::stages::clearance::Clearance;
use crate::stages::content::{self, Content};
use crate::stages::forwarded::Provenance;
use crate::stages::mirror::Mirror;
use crate::upstreams::added::Added;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::response_body::UpstreamBody;
use crate::upstreams::response_head;
use crate::upstreams::send::{Answer, Policy, Progress, Sender, Sending, rehearse};
use crate::upstreams::servers::Upstream;

/// What forwarding needs besides the exchange.
pub(crate) struct Forwarding<'a> {
    pub(crate) sender: Sender,
    pub(crate) rules: &'a Arc<ForwardRules>,
    pub(crate) watch: &'a Arc<Watch>,
    pub(crate) upstream: &'a Arc<Upstream>,
    pub(crate) provenance: Provenance,
    pub(crate) deadline: &'a Deadline,
    /// Response filters may look at the request again.
    pub(crate) keep_request: bool,
    pub(crate) journal: &'a mut Journal,
}

/// What forwarding on a route goes by.
#[derive(Debug)]
pub(crate) struct ForwardRules {
    pub(crate) retry: Retry,
    pub(crate) mirror: Option<Arc<Mirror>>,
    /// Bytes of a request body.
    pub(crate) max_body: u64,
}

/// Sends the request of a clearance to its upstream.
pub(crate) async fn forward(
    clearance: Clearance,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
) -> Result<Response<Content>, Refusal> {
    let (upstream, rules) = (f.upstream, f.rules);
    f.journal.rewritten(clearance.rewritten_from(x));
    let key = upstream.key(x);
    if f.sender.rehearses {
        return Err(rehearse(x.trail.as_ref(), &x.method, upstream, key));
    }
    let end = f.deadline.or(f.journal.began() + upstream.timeouts.total);
    let entered = upstream.enter(end).await?;
    let body = keep_body(x, body, &rules.retry).await?;
    let mut request = upstream_request(x, body, &f);
    let added = add_later(&mut request, x, rules, &f.provenance);
    if let Some(mirror) = &rules.mirror {
        request = mirror.copy(request, x);
    }
    let sending = Sending {
        sender: f.sender,
        upstream,
        policy: Policy::forward(&rules.retry),
        key,
        end,
        deadline: f.deadline,
        watch: f.watch,
        max_body: rules.max_body,
        host: host_for(upstream, x, &f.provenance),
        added,
        trail: x.trail.as_ref(),
    };
    let progress = Progress {
        server: &mut f.journal.record.server,
        call: None,
    };
    let mut answer = sending.send(&entered, &mut request, progress).await?;
    f.journal.hold(entered.into_place());
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

/// The Host that every server gets; None: each gets its own name.
pub(crate) fn host_for<'a>(
    upstream: &Upstream,
    x: &Exchange,
    provenance: &'a Provenance,
) -> Option<&'a HeaderValue> {
    (upstream.preserve_host && !x.host.is_empty()).then(|| provenance.sent_host())
}

/// The request as it leaves, but for what the gateway adds: the exchange's own headers.
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
    request
}

/// What the gateway adds, for the connection to write, which is cheaper than to put it into the request. None: it is in
/// the request, because somebody looks at it there.
fn add_later<'a>(
    request: &mut Request<RequestBody>,
    x: &'a Exchange,
    rules: &ForwardRules,
    provenance: &'a Provenance,
) -> Option<Added<'a>> {
    let added = provenance.added(&x.request_id);
    if rules.mirror.is_some() || request.headers().contains_key(VIA) {
        added.insert_into(request.headers_mut());
        return None;
    }
    added.clear(request.headers_mut(), !x.changed_headers.is_empty());
    Some(added)
}

/// Reads the body of an idempotent request first, where its length says that it is small enough to be sent again.
async fn keep_body(x: &Exchange, body: RequestBody, retry: &Retry) -> Result<RequestBody, Refusal> {
    let length = match &body {
        RequestBody::Client { incoming, .. } => incoming.size_hint().exact(),
        RequestBody::Full(_) | RequestBody::Wrapped(_) | RequestBody::Gone => None,
    };
    let small = length.is_some_and(|length| length <= retry.max_body as u64);
    if retry.tries > 1 && x.method.is_idempotent() && small {
        let bytes = body.collect(retry.max_body).await?;
        return Ok(RequestBody::full(bytes));
    }
    Ok(body)
}

/// The response for the client; its body comes over the server's connection.
fn stream(answer: Answer, times: Timeouts, end: Instant) -> Response<Content> {
    let Answer {
        response,
        mut connection,
        ticket,
        at,
    } = answer;
    let (status, headers) = response_head::split(response);
    if let Some(bytes) = connection.whole() {
        ticket.keep(connection, at);
        return content::response(status, headers, Content::full(bytes));
    }
    let body = UpstreamBody::new(connection, ticket, times.idle, end);
    let content = if body.is_end_stream() {
        Content::Full(None)
    } else {
        Content::Upstream(Box::new(body))
    };
    content::response(status, headers, content)
}
