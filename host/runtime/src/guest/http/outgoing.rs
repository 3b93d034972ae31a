//! The way out of a standard guest: its requests go to granted upstreams, named as the host of the URL
//! (`http://users/7`). Any other is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use portcullis_exchange::{Call, Outbound, OutboundError, Target};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use crate::guest::checked::{MAX_HEADERS, settable_name, usable_method};
use crate::spec::Spec;

/// Largest answer of an upstream, in bytes.
const MAX_ANSWER: usize = 10 * 1024 * 1024;

/// What `wasi:http` remembers for an instance.
#[derive(Default)]
pub(crate) struct Context {
    wasi: WasiHttpCtx,
    hooks: Hooks,
    /// Takes the place of the real table once the calls of the host are spent: nothing that a function needs is in it.
    spent: ResourceTable,
}

/// Asked for each request. Without a gate, between calls, none may go.
#[derive(Default)]
struct Hooks {
    gate: Option<Gate>,
}

/// What the exchange that is being handled lets out.
struct Gate {
    spec: Arc<Spec>,
    outbound: Option<Arc<dyn Outbound>>,
    deadline: Instant,
    calls: u32,
    traffic: Arc<Traffic>,
}

/// Bytes of bodies that outbound requests carried, which they do in tasks of their own.
#[derive(Default)]
struct Traffic {
    answered: AtomicUsize,
    sent: AtomicUsize,
}

/// A request that may go.
struct Passage {
    outbound: Arc<dyn Outbound>,
    upstream: String,
    target: Target,
    timeout: Duration,
    max_body: usize,
    max_answer: usize,
    traffic: Arc<Traffic>,
}

/// What outbound requests of one call came to.
pub(super) struct Spent {
    pub(super) calls: u32,
    /// Bytes of bodies.
    pub(super) answered: usize,
    pub(super) sent: usize,
}

// === impl Context ===

impl Context {
    /// Lets requests out until `close`.
    pub(super) fn open(
        &mut self,
        spec: Arc<Spec>,
        outbound: Option<Arc<dyn Outbound>>,
        deadline: Instant,
    ) {
        self.hooks.gate = Some(Gate {
            spec,
            outbound,
            deadline,
            calls: 0,
            traffic: Arc::default(),
        });
    }

    pub(super) fn close(&mut self) -> Option<Spent> {
        let gate = self.hooks.gate.take()?;
        Some(Spent {
            calls: gate.calls,
            answered: gate.traffic.answered.load(Ordering::Relaxed),
            sent: gate.traffic.sent.load(Ordering::Relaxed),
        })
    }

    pub(super) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table,
            ctx: &mut self.wasi,
        }
    }

    /// A view without resources and without room: each function that uses it traps.
    pub(super) fn spent_view(&mut self) -> WasiHttpCtxView<'_> {
        self.spent.set_max_capacity(0);
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.spent,
            ctx: &mut self.wasi,
        }
    }
}

// === impl Hooks ===

/// An answered request, and what is left to do for it: nothing.
type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let passage = self.gate.as_mut().and_then(|gate| gate.allow(&request));
        let Some(mut passage) = passage else {
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        };
        let first_byte = options.and_then(|options| options.first_byte_timeout);
        passage.timeout = first_byte.map_or(passage.timeout, |given| given.min(passage.timeout));
        Box::new(async move {
            let answer = passage.take(request).await?;
            let body = |bytes| {
                Full::new(bytes)
                    .map_err(|never| match never {})
                    .boxed_unsync()
            };
            let rest = Box::new(std::future::ready(Ok(())));
            Ok((answer.map(body), rest as Box<_>))
        })
    }
}

// === impl Gate ===

impl Gate {
    /// Where a request may go: the upstream that its authority names, if method and path are granted too. The path is
    /// normalised first, so that what is granted is what is sent.
    fn allow(&mut self, request: &Request<WasiBody>) -> Option<Passage> {
        let upstream = request.uri().authority()?.as_str();
        let path = request.uri().path_and_query()?;
        let target = Target::parse(path.as_str()).ok()?;
        let method = usable_method(request.method().as_str())?;
        let (grants, budget) = (&self.spec.grants, &self.spec.budget);
        let room = self.calls < grants.calls && request.headers().len() <= MAX_HEADERS;
        if !room || !grants.allow(upstream, &method, target.path()) {
            return None;
        }
        self.calls += 1;
        let left = |limit: u64, used: usize| {
            usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_sub(used))
        };
        let max_answer = left(
            budget.bytes_in,
            self.traffic.answered.load(Ordering::Relaxed),
        );
        Some(Passage {
            outbound: self.outbound.clone()?,
            upstream: upstream.to_owned(),
            target,
            timeout: self.deadline.saturating_duration_since(Instant::now()),
            max_body: left(budget.bytes_out, self.traffic.sent.load(Ordering::Relaxed)),
            max_answer: max_answer.min(budget.memory).min(MAX_ANSWER),
            traffic: self.traffic.clone(),
        })
    }
}

// === impl Passage ===

impl Passage {
    async fn take(self, request: Request<WasiBody>) -> Result<Response<Bytes>, Error> {
        let (mut parts, body) = request.into_parts();
        let body = Limited::new(body, self.max_body).collect().await;
        let body = body
            .map_err(|_| Error::HttpRequestBodySize(None))?
            .to_bytes();
        self.traffic.sent.fetch_add(body.len(), Ordering::Relaxed);
        parts.uri = self.target.to_path_and_query().into();
        let owned = parts.headers.keys();
        let owned: Vec<_> = owned
            .filter(|name| settable_name(name.as_str()).is_err())
            .cloned()
            .collect();
        for name in owned {
            parts.headers.remove(name);
        }
        let call = Call {
            upstream: self.upstream,
            request: Request::from_parts(parts, body),
            timeout: self.timeout,
            max_response: self.max_answer,
        };
        let answer = self.outbound.call(call).await.map_err(refused)?;
        let bytes = answer.body().len();
        self.traffic.answered.fetch_add(bytes, Ordering::Relaxed);
        Ok(answer)
    }
}

fn refused(error: OutboundError) -> Error {
    match error {
        OutboundError::Timeout => Error::ConnectionReadTimeout,
        OutboundError::Connect(_) => Error::DestinationUnavailable,
        OutboundError::TooLarge => Error::HttpResponseBodySize(None),
        OutboundError::Other(_) => Error::ConnectionTerminated,
    }
}
