//! Plugins' calls to upstreams: the runtime's port, implemented here.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{HeaderMap, Response};
use portcullis_runtime::{Call, Exchange, Open, Outbound, OutboundError, OutboundFuture, Trail};

use crate::ground::deadline::Deadline;
use crate::ground::refusal::Refusal;
use crate::ground::sift::strip_hop_by_hop;
use crate::observe::trace::{self, TRACESTATE, Turn};
use crate::pipeline::gate::Worker;
use crate::pipeline::generation::Generation;
use crate::stages::body::{RequestBody, collect};
use crate::stages::forward::NOT_ASKED;
use crate::upstreams::connection::{Connection, SendError, UpstreamBody};
use crate::upstreams::servers::{Key, Upstream, Verdict};

/// Calls of one exchange go to the upstreams of the generation that it leases.
#[derive(Clone)]
pub(crate) struct Calls {
    worker: Arc<Worker>,
    generation: Arc<Generation>,
    /// The exchange's, which bounds its plugins' calls too.
    deadline: Deadline,
    trail: Option<Trail>,
    /// What goes with the parent of a call (W3C Trace Context section 3.3).
    tracestate: Option<HeaderValue>,
}

impl Calls {
    pub(crate) fn port(
        worker: &Arc<Worker>,
        generation: &Arc<Generation>,
        deadline: &Deadline,
        x: &Exchange,
    ) -> Arc<dyn Outbound> {
        let traced = x.trail.as_ref().is_some_and(|trail| trail.ids().is_some());
        Arc::new(Calls {
            worker: worker.clone(),
            generation: generation.clone(),
            deadline: deadline.clone(),
            trail: x.trail.clone(),
            tracestate: traced.then(|| x.request.get(TRACESTATE).cloned()).flatten(),
        })
    }
}

impl Outbound for Calls {
    fn call(&self, call: Call) -> OutboundFuture {
        let calls = self.clone();
        Box::pin(async move {
            let Some(upstream) = calls.generation.upstreams.get(call.upstream.as_str()) else {
                let text = format!("no upstream is named {}", call.upstream);
                return Err(OutboundError::Other(text));
            };
            let mut step = trace::call(calls.trail.as_ref(), upstream);
            let done = calls.within(upstream, call, &mut step).await;
            match &done {
                Ok(response) => trace::answered(step, response.status()),
                Err(_) if calls.worker.gate.rehearses => trace::ended(step, NOT_ASKED),
                Err(error) => trace::ended(step, outcome(error)),
            }
            done
        })
    }
}

/// As a trail says it.
fn outcome(error: &OutboundError) -> &'static str {
    match error {
        OutboundError::Timeout => "timeout",
        OutboundError::Connect(_) => "unreachable",
        OutboundError::TooLarge => "too_large",
        OutboundError::Other(_) => "broken",
    }
}

impl Calls {
    /// Runs a call within its time.
    async fn within(
        &self,
        upstream: &Upstream,
        call: Call,
        step: &mut Option<Open>,
    ) -> Result<Response<Bytes>, OutboundError> {
        if self.worker.gate.rehearses {
            let text = "a rehearsal asks no server".to_owned();
            return Err(OutboundError::Connect(text));
        }
        if self.deadline.is_over() {
            return Err(OutboundError::Timeout);
        }
        // The runtime bounds every call by what is left of the plugin's own time.
        let end = self.deadline.or(Instant::now() + call.timeout);
        let asked = self.run(upstream, call, end, step);
        let done = tokio::time::timeout_at(end.into(), asked).await;
        done.unwrap_or(Err(OutboundError::Timeout))
    }

    async fn run(
        &self,
        upstream: &Upstream,
        call: Call,
        end: Instant,
        step: &mut Option<Open>,
    ) -> Result<Response<Bytes>, OutboundError> {
        let (parts, body) = call.request.into_parts();
        let mut request = http::Request::from_parts(parts, RequestBody::full(body));
        let shield = &upstream.shield;
        let busy = |refusal: Refusal| OutboundError::Connect(refusal.reason.as_str().to_owned());
        let _place = shield.enter(end).await.map_err(busy)?;
        shield.budget.earn();
        self.deadline.write(request.headers_mut());
        let mut tried = Vec::new();
        let mut turn = Turn::default();
        let mut last = OutboundError::Connect("no server".into());
        while let Some(ticket) = upstream.pick(Key::default(), &tried, self.worker.index) {
            if !tried.is_empty() && !shield.budget.spend() {
                break;
            }
            tried.push(ticket.server().clone());
            turn.number += 1;
            trace::asks(step, ticket.server(), turn, &request);
            self.mark(step.as_ref(), request.headers_mut());
            let pass = shield.admit().map_err(busy)?;
            let began = Instant::now();
            let mut connection = match ticket.reuse() {
                Some(connection) => connection,
                None => match Connection::open(&ticket).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        upstream.tell(&ticket, Verdict::Connect, began.elapsed());
                        pass.tell(false);
                        last = OutboundError::Connect(error.to_string());
                        turn.because = "unreachable";
                        continue;
                    }
                },
            };
            if let Ok(host) = HeaderValue::from_str(&ticket.server().host) {
                request.headers_mut().insert(HOST, host);
            }
            let response = match connection.send(request).await {
                Ok(response) => response,
                Err(SendError::Unsent(unsent)) => {
                    request = *unsent;
                    last = OutboundError::Connect("the connection closed".into());
                    turn.because = "closed";
                    continue;
                }
                Err(SendError::Closed(error) | SendError::Broken(error)) => {
                    upstream.tell(&ticket, Verdict::Closed, began.elapsed());
                    pass.tell(false);
                    return Err(OutboundError::Other(error.to_string()));
                }
            };
            let verdict = Verdict::Answered(response.status());
            upstream.tell(&ticket, verdict, began.elapsed());
            pass.tell(!verdict.is_failure());
            let (mut parts, incoming) = response.into_parts();
            strip_hop_by_hop(&mut parts.headers);
            let idle = upstream.timeouts.idle;
            let timer = Box::pin(tokio::time::sleep(idle));
            let body = UpstreamBody::new(incoming, connection, ticket, timer, idle, end);
            return match collect(body, call.max_response).await {
                Ok(Some(bytes)) => Ok(Response::from_parts(parts, bytes)),
                Ok(None) => Err(OutboundError::TooLarge),
                Err(error) => Err(OutboundError::Other(error.to_string())),
            };
        }
        Err(last)
    }

    /// Names the call as the parent of what the server does.
    fn mark(&self, step: Option<&Open>, headers: &mut HeaderMap) {
        trace::mark(step, headers);
        if let Some(state) = &self.tracestate {
            headers.insert(TRACESTATE, state.clone());
        }
    }
}
