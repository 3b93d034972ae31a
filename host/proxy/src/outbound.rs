//! Plugins' calls to upstreams: the runtime's port, implemented here.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http::header::{HOST, HeaderValue};
use portcullis_runtime::{Call, Outbound, OutboundError, OutboundFuture};

use crate::admit::strip_hop_by_hop;
use crate::body::{RequestBody, collect};
use crate::connection::{Connection, SendError, UpstreamBody};
use crate::deadline::Deadline;
use crate::gate::Worker;
use crate::generation::Generation;
use crate::refusal::Refusal;
use crate::upstream::{Key, Verdict};

/// Calls of one exchange go to the upstreams of the generation that it leases.
pub(crate) struct Calls {
    worker: Arc<Worker>,
    generation: Arc<Generation>,
    /// The exchange's, which bounds its plugins' calls too.
    deadline: Deadline,
}

impl Calls {
    pub(crate) fn port(
        worker: &Arc<Worker>,
        generation: &Arc<Generation>,
        deadline: &Deadline,
    ) -> Arc<dyn Outbound> {
        Arc::new(Calls {
            worker: worker.clone(),
            generation: generation.clone(),
            deadline: deadline.clone(),
        })
    }
}

impl Outbound for Calls {
    fn call(&self, call: Call) -> OutboundFuture {
        let (worker, generation) = (self.worker.clone(), self.generation.clone());
        let deadline = self.deadline.clone();
        Box::pin(async move {
            if deadline.is_over() {
                return Err(OutboundError::Timeout);
            }
            // The runtime bounds every call by what is left of the plugin's own time.
            let end = deadline.or(Instant::now() + call.timeout);
            let asked = run(&worker, &generation, call, &deadline, end);
            let done = tokio::time::timeout_at(end.into(), asked).await;
            done.unwrap_or(Err(OutboundError::Timeout))
        })
    }
}

async fn run(
    worker: &Worker,
    generation: &Generation,
    call: Call,
    deadline: &Deadline,
    end: Instant,
) -> Result<Response<Bytes>, OutboundError> {
    let Some(upstream) = generation.upstreams.get(call.upstream.as_str()) else {
        return Err(OutboundError::Other(format!(
            "no upstream is named {}",
            call.upstream
        )));
    };
    let (parts, body) = call.request.into_parts();
    let mut request = http::Request::from_parts(parts, RequestBody::full(body));
    let shield = &upstream.shield;
    let busy = |refusal: Refusal| OutboundError::Connect(refusal.reason.as_str().to_owned());
    let _place = shield.enter(end).await.map_err(busy)?;
    shield.budget.earn();
    deadline.write(request.headers_mut());
    let mut tried = Vec::new();
    let mut last = OutboundError::Connect("no server".into());
    while let Some(ticket) = upstream.pick(Key::default(), &tried, worker.index) {
        if !tried.is_empty() && !shield.budget.spend() {
            break;
        }
        tried.push(ticket.server().clone());
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
