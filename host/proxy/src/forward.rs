//! Forwarding: from a permit to a response, over as many servers as it takes.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HOST, HeaderValue, TRAILER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use portcullis_config::plan::Timeouts;
use portcullis_runtime::Exchange;

use crate::body::{Content, RequestBody, Watch};
use crate::connection::{Connection, SendError, UpstreamBody};
use crate::events;
use crate::exchange::{body_refusal, response_head};
use crate::forwarded::{Provenance, X_REQUEST_ID};
use crate::gate::Worker;
use crate::guard::Client;
use crate::journal::Journal;
use crate::permit::Permit;
use crate::refusal::{Reason, Refusal};
use crate::upstream::{Server, Ticket, Upstream, Verdict};

/// What forwarding needs beside the exchange.
pub(crate) struct Forwarding<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) watch: &'a Arc<Watch>,
    pub(crate) provenance: Provenance,
    /// Response filters may look at the request again.
    pub(crate) keep_request: bool,
    pub(crate) journal: &'a mut Journal,
}

/// What came of one try.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the common one; a box would cost every request"
)]
enum Tried {
    Response(Response<Incoming>, Connection, Ticket),
    /// Another server may be asked.
    Again(Box<Request<RequestBody>>, Refusal),
}

/// A request without its body, for a second try where that is safe.
struct Spare {
    method: Method,
    uri: http::Uri,
    headers: HeaderMap,
}

/// Sends the request of a permit to its upstream.
pub(crate) async fn forward(
    permit: Permit,
    x: &mut Exchange,
    body: RequestBody,
    f: Forwarding<'_>,
) -> Result<Response<Content>, Refusal> {
    let route = permit.route().clone();
    let upstream = route
        .upstream
        .as_ref()
        .ok_or_else(|| Refusal::new(Reason::Internal).because("no upstream"))?;
    let times = upstream.timeouts;
    f.journal.rewritten(permit.rewritten_from(x));
    let deadline = f.journal.began() + times.total;
    let key = upstream.key(x);
    let mut request = upstream_request(x, body, &f);
    let mut tried: Vec<Arc<Server>> = Vec::new();
    let mut last = Refusal::new(Reason::UpstreamUnreachable).because("no server is left to try");
    while let Some(ticket) = upstream.pick(key, &tried, f.worker.index) {
        tried.push(ticket.server().clone());
        f.journal.server = Some(ticket.server().address.clone());
        write_host(&mut request, x, upstream, &ticket, &f.provenance);
        match attempt(request, ticket, upstream, f.watch, deadline).await? {
            Tried::Again(unsent, refusal) => {
                request = *unsent;
                last = refusal;
            }
            Tried::Response(response, connection, ticket) => {
                let mut response = response;
                upstream.stick(key, &ticket, x.scheme == "https", response.headers_mut());
                return Ok(stream(response, connection, ticket, times, deadline));
            }
        }
    }
    Err(match f.watch.problem() {
        Some(problem) => body_refusal(problem, route.max_body),
        None => last,
    })
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

/// One server: an idle connection while there is one, else a new one. A failure that left the request unsent, or
/// one that may safely be sent twice, gives it back.
async fn attempt(
    mut request: Request<RequestBody>,
    ticket: Ticket,
    upstream: &Upstream,
    watch: &Watch,
    deadline: Instant,
) -> Result<Tried, Refusal> {
    loop {
        let began = Instant::now();
        let reused = ticket.reuse();
        let fresh = reused.is_none();
        let mut connection = match reused {
            Some(connection) => connection,
            None => match connect(&ticket, upstream, deadline).await {
                Ok(connection) => connection,
                Err(text) => {
                    upstream.tell(&ticket, Verdict::Connect, began.elapsed());
                    let refusal = Refusal::new(Reason::UpstreamUnreachable).because(format!(
                        "{} of {}: {text}",
                        ticket.server().address,
                        upstream.name
                    ));
                    return Ok(Tried::Again(Box::new(request), refusal));
                }
            },
        };
        let spare = Spare::of(&request);
        let sent = send(&mut connection, request, upstream.timeouts, watch, deadline).await;
        let Some(sent) = sent else {
            upstream.tell(&ticket, Verdict::Timeout, began.elapsed());
            return Err(Refusal::new(Reason::UpstreamTimeout).because(format!(
                "{} of {} did not answer in time",
                ticket.server().address,
                upstream.name
            )));
        };
        let error = match sent {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                upstream.tell(&ticket, Verdict::Broken, began.elapsed());
                return Err(Refusal::new(Reason::UpstreamBroken).because(format!(
                    "{} switched protocols unasked",
                    ticket.server().address
                )));
            }
            Ok(response) => {
                upstream.tell(
                    &ticket,
                    Verdict::Answered(response.status()),
                    began.elapsed(),
                );
                return Ok(Tried::Response(response, connection, ticket));
            }
            Err(SendError::Unsent(unsent)) => {
                request = *unsent;
                continue;
            }
            Err(error) => error,
        };
        if let Some(problem) = watch.problem() {
            return Err(body_refusal(problem, u64::MAX).because("the request body failed"));
        }
        let (verdict, reason, text) = match &error {
            SendError::Broken(e) => (Verdict::Broken, Reason::UpstreamBroken, e.to_string()),
            SendError::Closed(e) => (Verdict::Closed, Reason::UpstreamUnreachable, e.to_string()),
            SendError::Unsent(_) => (Verdict::Closed, Reason::UpstreamUnreachable, String::new()),
        };
        let refusal = Refusal::new(reason).because(format!(
            "{} of {}: {text}",
            ticket.server().address,
            upstream.name
        ));
        match (error, spare) {
            // An idle connection that the server closed just now says nothing about the server.
            (SendError::Closed(_), Some(spare)) if !fresh => request = spare.into_request(),
            (SendError::Closed(_), Some(spare)) => {
                upstream.tell(&ticket, verdict, began.elapsed());
                return Ok(Tried::Again(Box::new(spare.into_request()), refusal));
            }
            _ => {
                upstream.tell(&ticket, verdict, began.elapsed());
                return Err(refusal);
            }
        }
    }
}

async fn connect(
    ticket: &Ticket,
    upstream: &Upstream,
    deadline: Instant,
) -> Result<Connection, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let limit = upstream.timeouts.connect.min(left);
    match tokio::time::timeout(limit, Connection::open(ticket)).await {
        Err(_) => Err(format!("no connection within {limit:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(connection)) => Ok(connection),
    }
}

/// Sends and waits for the head of the response. None: out of time, which is counted from the last progress of the
/// request body.
async fn send(
    connection: &mut Connection,
    request: Request<RequestBody>,
    times: Timeouts,
    watch: &Watch,
    deadline: Instant,
) -> Option<Result<Response<Incoming>, SendError>> {
    let mut sending = std::pin::pin!(connection.send(request));
    let mut seen = watch.bytes();
    let mut since = Instant::now();
    loop {
        let until = deadline.min(since + times.first_byte);
        if let Ok(done) = tokio::time::timeout_at(until.into(), sending.as_mut()).await {
            return Some(done);
        }
        // A body that is still coming is the client's time, which its own connection bounds.
        let coming = watch.bytes() != seen || !watch.has_ended();
        if !coming || Instant::now() >= deadline {
            return None;
        }
        seen = watch.bytes();
        since = Instant::now();
    }
}

fn stream(
    response: Response<Incoming>,
    connection: Connection,
    ticket: Ticket,
    times: Timeouts,
    deadline: Instant,
) -> Response<Content> {
    let (head, incoming) = response_head(response);
    let deadline = if events::is_stream(&head.headers) {
        events::never()
    } else {
        deadline
    };
    let timer = Box::pin(tokio::time::sleep(
        times
            .idle
            .min(deadline.saturating_duration_since(Instant::now())),
    ));
    let body = UpstreamBody::new(incoming, connection, ticket, timer, times.idle, deadline);
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

impl Spare {
    /// RFC 9110 section 9.2.2: idempotent methods may be repeated; a streamed body cannot.
    fn of(request: &Request<RequestBody>) -> Option<Spare> {
        (request.method().is_idempotent() && request.body().is_end_stream()).then(|| Spare {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}
