//! Plugins' calls to upstreams: the runtime's port, implemented here.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http::header::HeaderValue;
use portcullis_exchange::{Call, Exchange, Open, Outbound, OutboundError, OutboundFuture, Trail};

use crate::ground::body::collect;
use crate::ground::deadline::Deadline;
use crate::ground::sift::strip_hop_by_hop;
use crate::observe::trace::{self, NOT_ASKED, TRACESTATE};
use crate::observe::watch::Watch;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::response_body::UpstreamBody;
use crate::upstreams::send::{Answer, Failed, Failure, Policy, Progress, Sender, Sending};
use crate::upstreams::servers::{Key, Upstream, Upstreams};

/// Calls of one exchange go to the upstreams of the generation that it leases.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) sender: Sender,
    pub(crate) upstreams: Arc<Upstreams>,
    /// The exchange's, which bounds its plugins' calls too.
    pub(crate) deadline: Deadline,
    trail: Option<Trail>,
    /// What goes with the parent of a call (W3C Trace Context section 3.3).
    tracestate: Option<HeaderValue>,
}

impl Calls {
    /// The port through which the plugins of an exchange call upstreams.
    pub(crate) fn port(
        sender: Sender,
        upstreams: &Arc<Upstreams>,
        deadline: &Deadline,
        x: &Exchange,
    ) -> Arc<dyn Outbound> {
        let traced = x.trail.as_ref().is_some_and(|trail| trail.ids().is_some());
        Arc::new(Calls {
            sender,
            upstreams: upstreams.clone(),
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
            let Some(upstream) = calls.upstreams.get(call.upstream.as_str()) else {
                let text = format!("no upstream is named {}", call.upstream);
                return Err(OutboundError::Other(text));
            };
            let mut step = trace::call(calls.trail.as_ref(), &upstream.name);
            let done = calls.within(upstream, call, &mut step).await;
            match &done {
                Ok(response) => trace::answered(step, response.status()),
                Err(_) if calls.sender.rehearses => trace::ended(step, NOT_ASKED),
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

/// What a plugin learns of a call that failed.
fn error(failed: Failed) -> OutboundError {
    let because = failed.refusal.because.unwrap_or_default();
    match failed.failure {
        Failure::Open => OutboundError::Connect(failed.refusal.reason.as_str().to_owned()),
        Failure::NoServer | Failure::Connect => OutboundError::Connect(because),
        Failure::Slow | Failure::Timeout | Failure::Late => OutboundError::Timeout,
        Failure::Closed | Failure::Broken | Failure::Body => OutboundError::Other(because),
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
        if self.sender.rehearses {
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
        if let Some(state) = &self.tracestate {
            request.headers_mut().insert(TRACESTATE, state.clone());
        }
        let entered = upstream.enter(end).await.map_err(|refusal| {
            let reason = refusal.reason.as_str();
            OutboundError::Connect(reason.to_owned())
        })?;
        let sending = Sending {
            sender: self.sender,
            upstream,
            policy: Policy::call(),
            key: Key::default(),
            end,
            deadline: &self.deadline,
            watch: &Watch::over(),
            max_body: u64::MAX,
            host: None,
            added: None,
            trail: None,
        };
        let progress = Progress {
            server: &mut None,
            call: Some(step),
        };
        let sent = sending.send(&entered, &mut request, progress).await;
        let Answer {
            response,
            connection,
            ticket,
            ..
        } = sent.map_err(error)?;
        let (mut parts, ()) = response.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        let body = UpstreamBody::new(connection, ticket, upstream.timeouts.idle, end);
        match collect(body, call.max_response).await {
            Ok(Some(bytes)) => Ok(Response::from_parts(parts, bytes)),
            Ok(None) => Err(OutboundError::TooLarge),
            Err(error) => Err(OutboundError::Other(error.to_string())),
        }
    }
}
