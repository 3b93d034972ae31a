//! The listener: its connections, and what a request passes: host, table, origin, caller, body, operation.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use portcullis_proxy::Gate;
use portcullis_proxy::audit::{Audit, Deed, Outcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::{Answer, AuditDetail, Problem, hardened};
use crate::call::{Call, Params};
use crate::caller::{Caller, Peer};
use crate::control::Control;
use crate::gateway::{First, Gateway};
use crate::operation::{Operation, Role, Router, Takes, Verb, router};
use crate::pages::OPERATIONS;
use crate::slots::{Slot, Slots, WorkingBody};
use crate::status::Status;
use crate::{body, guard};

/// From the accept, or from the answer before, to the last byte of a request head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Of a request head in bytes and in fields.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The admin listener.
pub struct Admin {
    gateway: Arc<Gateway>,
    router: Router,
}

impl Admin {
    pub fn new(first: First, control: Arc<dyn Control>, status: Arc<Status>) -> Arc<Admin> {
        Arc::new(Admin {
            gateway: Arc::new(Gateway::new(first, control, status)),
            router: router(OPERATIONS),
        })
    }

    /// From now on there is something to show.
    pub fn opens(&self, gate: Arc<Gate>) {
        self.gateway.opens(gate);
    }

    /// Serves until dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let slots = Arc::new(Slots::default());
        loop {
            let Ok((tcp, peer)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Without a slot the connection is closed at once.
            if let Some(slot) = slots.take() {
                // Ends with its client, with its slot, or with the process.
                tokio::spawn(self.clone().connection(tcp, peer, slot));
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, address: SocketAddr, slot: Arc<Slot>) {
        let mut peer = Peer {
            address,
            local: self.gateway.first.address.ip().is_loopback(),
            certificate: None,
        };
        let Some(tls) = self.gateway.tls() else {
            return self.speak(tcp, peer, slot).await;
        };
        let accepted = tokio::select! {
            accepted = tls.accept(tcp) => accepted,
            () = slot.is_wanted() => return,
        };
        match accepted {
            Ok(accepted) => {
                peer.certificate = accepted.secured.certificate;
                self.speak(accepted.stream, peer, slot).await;
            }
            Err(error) => {
                tracing::debug!(%address, %error, "a handshake of the admin listener failed");
            }
        }
    }

    async fn speak<S>(self: Arc<Self>, io: S, peer: Peer, slot: Arc<Slot>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let held = slot.clone();
        let peer = Arc::new(peer);
        let service = service_fn(move |request| {
            let (admin, peer, slot) = (self.clone(), peer.clone(), slot.clone());
            async move { Ok::<_, Infallible>(admin.answer(request, &peer, &slot).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(LARGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(io), service);
        tokio::select! {
            // A client that left, or that speaks no HTTP, is not worth a log line.
            _ = served => {}
            () = held.is_wanted() => {}
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: &Peer,
        slot: &Arc<Slot>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let asked = format!("{} {}", head.method, head.uri.path());
        let plan = self.gateway.plan();
        let caller = Caller::of(&plan.admin, peer, &head.headers);
        let by = caller.as_ref().map(|caller| caller.name.clone());
        let by = by.unwrap_or_else(|_| peer.address.to_string());
        let (answer, working) = match self.clone().call(&head, body, caller).await {
            Ok((operation, call)) => {
                let working = slot.work();
                let done = (operation.serve)(call).await;
                let answer = done.unwrap_or_else(Answer::from);
                if operation.needs == Role::Write {
                    self.note(operation.deed, &by, &asked, &answer);
                }
                (answer, Some(working))
            }
            Err(problem) => {
                let turned_away = problem.status != StatusCode::NOT_FOUND;
                let answer = problem.into();
                if turned_away {
                    self.note(Deed::Admin, &by, &asked, &answer);
                }
                (answer, None)
            }
        };
        let answer = hardened(answer);
        match working {
            Some(working) => answer.map(|body| WorkingBody::new(body, working).boxed_unsync()),
            None => answer,
        }
    }

    /// Writes one audit line for what was done or refused.
    fn note(&self, what: Deed, by: &str, asked: &str, answer: &Answer) {
        let status = answer.status();
        let outcome = match status.as_u16() {
            ..400 => Outcome::Done,
            400..500 => Outcome::Refused,
            _ => Outcome::Failed,
        };
        let detail = match answer.extensions().get::<AuditDetail>() {
            Some(AuditDetail(detail)) => detail.clone(),
            None => format!("{asked}: {status}"),
        };
        let audit = Audit {
            what,
            by,
            outcome,
            detail: &detail,
        };
        // Before there is a gate there is nothing that it could have been done to.
        if let Some(gate) = self.gateway.gate() {
            audit.note(&gate.metrics);
        }
    }

    /// What is asked for, let in and read.
    async fn call(
        self: Arc<Self>,
        head: &Parts,
        body: Incoming,
        caller: Result<Caller, Problem>,
    ) -> Result<(&'static Operation, Call), Problem> {
        guard::host(head, self.names().as_deref())?;
        let (operation, params) = self.find(head)?;
        let changes = operation.method != Verb::Get;
        guard::origin(head, changes)?;
        if operation.needs > Role::Anyone {
            caller.and_then(|caller| caller.may(operation.needs))?;
        }
        let body = match (changes, &operation.takes) {
            (false, Takes::Nothing) => bytes::Bytes::new(),
            _ => body::read(&head.headers, body).await?,
        };
        let call = Call {
            params,
            body,
            gateway: self.gateway.clone(),
        };
        Ok((operation, call))
    }

    /// The names that `Host` may have next to addresses and localhost; None: any.
    fn names(&self) -> Option<Vec<String>> {
        let local = self.gateway.first.address.ip().is_loopback();
        let given = self.gateway.plan().admin.hosts.clone();
        given.or_else(|| local.then(Vec::new))
    }

    /// The operation of a method and path, with what the path leaves open. HEAD is GET without its body, which hyper
    /// leaves out.
    fn find(&self, head: &Parts) -> Result<(&'static Operation, Params), Problem> {
        let path = head.uri.path();
        let found = self.router.at(path).map_err(|_| {
            Problem::not_found("there is no such page; GET /openapi.json tells of all")
        })?;
        let method = match head.method.as_str() {
            "HEAD" => "GET",
            method => method,
        };
        let operation = found.value.iter().find(|o| o.method.as_str() == method);
        let Some(operation) = operation else {
            return Err(not_allowed(found.value));
        };
        let decoded = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        let params = found.params.iter();
        let params = params.map(|(name, value)| (name.to_owned(), decoded(value)));
        Ok((operation, params.collect()))
    }
}

/// RFC 9110 section 15.5.6
fn not_allowed(operations: &[&Operation]) -> Problem {
    let mut allowed = Vec::new();
    for operation in operations {
        allowed.push(operation.method.as_str());
        if operation.method == Verb::Get {
            allowed.push("HEAD");
        }
    }
    let allowed = allowed.join(", ");
    let text = format!("this page is for {allowed}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text);
    let allow = HeaderValue::from_str(&allowed).expect("methods are tokens");
    problem.with_header(ALLOW, allow)
}
