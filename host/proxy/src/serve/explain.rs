//! `explain`: one request on the way of a generation, as a client would send it.
//!
//! A rehearsal is the real way with the real plugins, over a connection in memory; only servers are not asked. The
//! other kind is sent to a running gateway, whose answer says the same in the same words.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis_config::plan::Protocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::ground::events::is_stream;
use crate::pipeline::course::ServedClient;
use crate::pipeline::exchange::serve;
use crate::pipeline::gate::{Archive, Gate};
use crate::pipeline::generation::Generation;
use crate::pipeline::worker::Worker;
use crate::wire::guard::Client;
use crate::wire::link::{self, Link, Speaks};
use crate::wire::tls::{Dial, DialParts, Secured, TlsParts};

pub use crate::observe::trace::view::{Step, Trail};
pub use crate::observe::trace::{DEBUG, TRAIL};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The beginning, where it is long; empty where it has no end.
    pub body: Bytes,
}

/// Where a request is sent.
#[derive(Debug, Clone)]
pub struct Destination {
    /// `host:port`
    pub address: String,
    /// None: clear text.
    pub tls: Option<Verification>,
}

/// Whom to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Whom the system trusts.
    System,
    /// Everybody: for a development certificate.
    Nobody,
}

/// Bytes of an answer that are read.
const MOST: usize = 1024 * 1024;
const PIPE: usize = 64 * 1024;

/// Sends a request through `generation` and asks no server. `https`: as if it came over TLS.
///
/// # Errors
///
/// Where the request cannot be sent as it is.
pub async fn rehearse(
    generation: Generation,
    archive: Archive,
    (peer, https): (SocketAddr, bool),
    request: Request<Bytes>,
) -> Result<Answer, String> {
    let (_drain, draining) = watch::channel(false);
    let gate = Gate::rehearsal(generation, archive);
    let worker = Arc::new(Worker::new(0, gate, draining));
    let tls = https.then_some(Secured { certificate: None });
    let client = Arc::new(Client::new(peer, tls));
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let served = ServedClient::new(worker, client);
    let service = service_fn(move |request| {
        let answer = serve(served.clone(), request);
        async { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
    let serving = tokio::spawn(served);
    let answer = send(ours, request).await;
    serving.abort();
    answer
}

/// Sends a request to a running gateway.
///
/// # Errors
///
/// In words, where there is no answer.
pub async fn ask(to: &Destination, request: Request<Bytes>) -> Result<Answer, String> {
    let tls = |verification| match verification {
        Verification::System => TlsParts::of_the_system().map_err(|e| e.to_string()),
        Verification::Nobody => Ok(TlsParts::verifying(None)),
    };
    let dial = Dial::new(DialParts {
        protocol: Protocol::Http1,
        tls: to.tls.map(tls).transpose()?,
    })?;
    let io = dial.open(&to.address).await;
    send(
        io.map_err(|error| format!("{}: {error}", to.address))?,
        request,
    )
    .await
}

async fn send(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Bytes>,
) -> Result<Answer, String> {
    let text = |error: hyper::Error| error.to_string();
    let mut link = Link::over(io, Speaks::Http1).await.map_err(text)?;
    let response = link.send(request.map(Full::new)).await;
    let (head, incoming) = response.map_err(text)?.into_parts();
    let endless = head.status == StatusCode::SWITCHING_PROTOCOLS || is_stream(&head.headers);
    let body = if endless {
        Bytes::new()
    } else {
        match link::read(incoming, MOST).await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        }
    };
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}
