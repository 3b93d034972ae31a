//! Standard guests: a `wasi:http/proxy@0.2` component as a handler, unmodified. Its outbound requests go to granted
//! upstreams, named as the host of the URL (`http://users/7`); any other is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use portcullis_exchange::{Call, Exchange, Outbound, OutboundError, Target};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::guest::contract::outcome;
use crate::guest::contract::types::{Field, Phases, Registration};
use crate::guest::session::Session;
use crate::guest::{MAX_HEADERS, settable_name, usable_method};
use crate::spec::Spec;

pub(crate) type Pre = ProxyPre<Session>;
pub(crate) type Bound = Proxy;

/// The export that makes a component one of these, without its patch version.
pub(crate) const EXPORT: &str = "wasi:http/incoming-handler@0.2.";
/// Largest request body, in bytes, that is buffered for it.
const BODY_LIMIT: u32 = 10 * 1024 * 1024;
/// Largest answer of an upstream, in bytes.
const MAX_ANSWER: usize = 10 * 1024 * 1024;

/// What `wasi:http` remembers for an instance.
#[derive(Default)]
pub(crate) struct Context {
    wasi: WasiHttpCtx,
    hooks: Hooks,
    /// Stands in for the real table once the calls of the host are spent: what each function needs is not in it.
    spent: ResourceTable,
}

/// The way out: only what the exchange that is being handled grants.
#[derive(Default)]
struct Hooks {
    gate: Option<Gate>,
}

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

pub(crate) fn link(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// It has no settings of ours and sees every request whole.
pub(crate) fn configure(json: &str) -> Result<Registration, String> {
    if json != "{}" {
        return Err("a wasi:http component takes no settings; leave them out".into());
    }
    Ok(Registration {
        phases: Phases::REQUEST | Phases::REQUEST_BODY,
        body_limit: BODY_LIMIT,
        notes: Vec::new(),
    })
}

/// Hands the exchange to the guest and waits for its whole answer.
pub(crate) async fn handle(
    store: &mut Store<Session>,
    guest: &Bound,
) -> wasmtime::Result<Result<outcome::Reply, outcome::Fault>> {
    let session = store.data_mut();
    let scheme = match session.exchange.scheme {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let request = request(&session.exchange)?;
    session.copy_in(session.exchange.request_body.as_ref().map_or(0, Bytes::len))?;
    let limit = usize::try_from(session.spec.budget.bytes_out).unwrap_or(usize::MAX);
    session.http.hooks.gate = Some(Gate {
        spec: session.spec.clone(),
        outbound: session.exchange.outbound.clone(),
        deadline: Instant::now() + session.remaining(),
        calls: 0,
        traffic: Arc::default(),
    });
    let (sender, mut receiver) = oneshot::channel();
    let request = view(session).new_incoming_request(scheme, request)?;
    let out = view(session).new_response_outparam(sender)?;

    // The guest goes on after it has set its response: it writes the body, which is read meanwhile.
    let mut answer = None;
    let mut begun = false;
    {
        let handler = guest.wasi_http_incoming_handler();
        let mut run = std::pin::pin!(handler.call_handle(&mut *store, request, out));
        let mut read = std::pin::pin!(read(&mut receiver, limit, &mut begun));
        loop {
            tokio::select! {
                biased;
                ran = &mut run => {
                    ran?;
                    break;
                }
                read = &mut read, if answer.is_none() => answer = Some(read),
            }
        }
        if answer.is_none() {
            // Returned: nothing is written any more, so what is missing now stays missing.
            let mut read = std::pin::pin!(tokio::task::unconstrained(read));
            answer = std::future::poll_fn(|cx| match read.as_mut().poll(cx) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
        }
    }
    if let Some(gate) = store.data_mut().http.hooks.gate.take() {
        let session = store.data_mut();
        session.meter.outbound_calls += gate.calls;
        session.copy_in(gate.traffic.answered.load(Ordering::Relaxed))?;
        session.copy_out(gate.traffic.sent.load(Ordering::Relaxed))?;
    }
    let none = if begun {
        "it returned before its response body was finished"
    } else {
        "it returned without a response"
    };
    let reply = answer.unwrap_or_else(|| Err(none.into()));
    if let Ok(reply) = &reply {
        store.data_mut().copy_out(reply.body.len())?;
    }
    Ok(reply.map_err(outcome::Fault::Failed))
}

type Set = Result<Response<HyperOutgoingBody>, ErrorCode>;

async fn read(
    receiver: &mut oneshot::Receiver<Set>,
    limit: usize,
    begun: &mut bool,
) -> Result<outcome::Reply, String> {
    let response = match receiver.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(format!("it answered with the error {code:?}")),
        Err(_) => return Err("it dropped its response".into()),
    };
    *begun = true;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await;
    let body = body.map_err(|error| format!("its response body: {error}"))?;
    let own = |name: &http::HeaderName| settable_name(name.as_str()).is_ok();
    let fields = parts.headers.iter().filter(|(name, _)| own(name));
    Ok(outcome::Reply {
        status: parts.status.as_u16(),
        fields: fields
            .map(|(name, value)| Field {
                name: name.as_str().to_owned(),
                value: value.as_bytes().to_vec(),
            })
            .collect(),
        body: body.to_bytes().to_vec(),
    })
}

fn request(x: &Exchange) -> wasmtime::Result<Request<WasiBody>> {
    let uri = Uri::builder()
        .scheme(if x.scheme.is_empty() {
            "http"
        } else {
            x.scheme
        })
        .authority(if x.host.is_empty() {
            "gateway"
        } else {
            &x.host
        })
        .path_and_query(x.target.to_path_and_query())
        .build()?;
    let body = Full::new(x.request_body.clone().unwrap_or_default());
    let mut request = Request::new(body.map_err(|never| match never {}).boxed_unsync());
    *request.method_mut() = x.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = x.request.clone();
    Ok(request)
}

fn view(session: &mut Session) -> WasiHttpCtxView<'_> {
    WasiHttpCtxView {
        hooks: &mut session.http.hooks,
        table: &mut session.table,
        ctx: &mut session.http.wasi,
    }
}

/// Each function of `wasi:http` begins by asking for this, so it counts as a call of the host here. It cannot fail
/// here; beyond the limit it gets a table without its resources and without room, which traps.
impl WasiHttpView for Session {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        if self.tally() {
            return view(self);
        }
        self.http.spent.set_max_capacity(0);
        WasiHttpCtxView {
            hooks: &mut self.http.hooks,
            table: &mut self.http.spent,
            ctx: &mut self.http.wasi,
        }
    }
}

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
