//! The way in to a standard guest: it gets the exchange as a `wasi:http` request and sets its response.

use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use portcullis_exchange::Exchange;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{WasiBody, WasiHttpCtxView, WasiHttpView};

use crate::guest::checked::settable_name;
use crate::guest::contract::outcome;
use crate::guest::contract::types::{Field, Phases, Registration};
use crate::guest::session::Session;

/// The export that makes a component one of these, without its patch version.
pub(crate) const EXPORT: &str = "wasi:http/incoming-handler@0.2.";
/// Largest request body, in bytes, that is buffered for it.
const BODY_LIMIT: u32 = 10 * 1024 * 1024;

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
    guest: &Proxy,
) -> wasmtime::Result<Result<outcome::Reply, outcome::Fault>> {
    let session = store.data_mut();
    let scheme = match session.exchange.scheme {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let request = request(&session.exchange)?;
    session.copy_in(session.exchange.request_body.as_ref().map_or(0, Bytes::len))?;
    let limit = usize::try_from(session.spec.budget.bytes_out).unwrap_or(usize::MAX);
    let deadline = Instant::now() + session.remaining();
    session.http.get_or_insert_default().open(
        session.spec.clone(),
        session.exchange.outbound.clone(),
        deadline,
    );
    let reply = run(store, guest, scheme, request, limit).await?;
    let session = store.data_mut();
    if let Some(spent) = session.http.as_mut().and_then(|http| http.close()) {
        session.meter.outbound_calls += spent.calls;
        session.copy_in(spent.answered)?;
        session.copy_out(spent.sent)?;
    }
    if let Ok(reply) = &reply {
        session.copy_out(reply.body.len())?;
    }
    Ok(reply.map_err(outcome::Fault::Failed))
}

/// Runs the guest and reads its response, or says what is wrong with it.
async fn run(
    store: &mut Store<Session>,
    guest: &Proxy,
    scheme: Scheme,
    request: Request<WasiBody>,
    limit: usize,
) -> wasmtime::Result<Result<outcome::Reply, String>> {
    let session = store.data_mut();
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
    let none = if begun {
        "it returned before its response body was finished"
    } else {
        "it returned without a response"
    };
    Ok(answer.unwrap_or_else(|| Err(none.into())))
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
    let http = session.http.get_or_insert_default();
    http.view(&mut session.table)
}

/// Each function of `wasi:http` begins by asking for this, so it counts as a call of the host here. It cannot fail
/// here; beyond the limit it gets a table without its resources and without room, which traps.
impl WasiHttpView for Session {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        if self.tally() {
            return view(self);
        }
        self.http.get_or_insert_default().spent_view()
    }
}
