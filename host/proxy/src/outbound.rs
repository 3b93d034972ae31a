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
use crate::gate::Worker;
use crate::generation::Generation;
use crate::upstream::{Key, Verdict};

/// Calls of one exchange go to the upstreams of the generation that it leases.
pub(crate) struct Calls {
    worker: Arc<Worker>,
    generation: Arc<Generation>,
}

impl Calls {
    pub(crate) fn port(worker: &Arc<Worker>, generation: &Arc<Generation>) -> Arc<dyn Outbound> {
        Arc::new(Calls {
            worker: worker.clone(),
            generation: generation.clone(),
        })
    }
}

impl Outbound for Calls {
    fn call(&self, call: Call) -> OutboundFuture {
        let (worker, generation) = (self.worker.clone(), self.generation.clone());
        Box::pin(async move {
            let timeout = call.timeout;
            let done = tokio::time::timeout(timeout, run(&worker, &generation, call)).await;
            done.unwrap_or(Err(OutboundError::Timeout))
        })
    }
}

async fn run(
    worker: &Worker,
    generation: &Generation,
    call: Call,
) -> Result<Response<Bytes>, OutboundError> {
    let Some(upstream) = generation.upstreams.get(call.upstream.as_str()) else {
        return Err(OutboundError::Other(format!(
            "no upstream is named {}",
            call.upstream
        )));
    };
    let deadline = Instant::now() + call.timeout;
    let (parts, body) = call.request.into_parts();
    let mut request = http::Request::from_parts(parts, RequestBody::full(body));
    let mut tried = Vec::new();
    let mut last = OutboundError::Connect("no server".into());
    while let Some(ticket) = upstream.pick(Key::default(), &tried, worker.index) {
        tried.push(ticket.server().clone());
        let began = Instant::now();
        let mut connection = match ticket.reuse() {
            Some(connection) => connection,
            None => match Connection::open(&ticket).await {
                Ok(connection) => connection,
                Err(error) => {
                    upstream.tell(&ticket, Verdict::Connect, began.elapsed());
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
                return Err(OutboundError::Other(error.to_string()));
            }
        };
        upstream.tell(
            &ticket,
            Verdict::Answered(response.status()),
            began.elapsed(),
        );
        let (mut parts, incoming) = response.into_parts();
        strip_hop_by_hop(&mut parts.headers);
        let idle = upstream.timeouts.idle;
        let timer = Box::pin(tokio::time::sleep(idle));
        let body = UpstreamBody::new(incoming, connection, ticket, timer, idle, deadline);
        return match collect(body, call.max_response).await {
            Ok(Some(bytes)) => Ok(Response::from_parts(parts, bytes)),
            Ok(None) => Err(OutboundError::TooLarge),
            Err(error) => Err(OutboundError::Other(error.to_string())),
        };
    }
    Err(last)
}
