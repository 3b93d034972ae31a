//! The admin listener: health, metrics, plugins, reload. Meant for loopback; it never shows settings or secrets.

mod store;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portcullis_proxy::{Gate, ServerView, Upstream};
use portcullis_runtime::Figures;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::abilities::Abilities;
use crate::reload::{Request as ReloadRequest, Status};

/// What the pages are made of.
pub(crate) struct Admin {
    pub(crate) gate: Arc<Gate>,
    pub(crate) status: Arc<Status>,
    pub(crate) supervisor: mpsc::Sender<ReloadRequest>,
}

#[derive(Serialize)]
struct PluginPage {
    name: String,
    kind: &'static str,
    digest: String,
    instance: &'static str,
    can: String,
    imports: Vec<String>,
    /// How instances come to be configured.
    configured: String,
    calls: u64,
    failures: u64,
    /// The bill, by route.
    routes: Vec<BillPage>,
    last_error: Option<String>,
}

/// What a plugin cost on one route since the gateway started.
#[derive(Serialize)]
struct BillPage {
    route: String,
    outcomes: BTreeMap<&'static str, u64>,
    bypassed: u64,
    wall_seconds: f64,
    cpu_seconds: f64,
    host_calls: u64,
    outbound_calls: u64,
    bytes_in: u64,
    bytes_out: u64,
    log_bytes_dropped: u64,
    memory_peak_bytes: u64,
    instances_live: i64,
}

impl BillPage {
    fn of(route: &str, figures: &Figures) -> BillPage {
        BillPage {
            route: route.to_owned(),
            outcomes: figures.endings.into_iter().collect(),
            bypassed: figures.bypassed,
            wall_seconds: figures.wall.as_secs_f64(),
            cpu_seconds: figures.cpu.as_secs_f64(),
            host_calls: figures.host_calls,
            outbound_calls: figures.outbound_calls,
            bytes_in: figures.bytes_in,
            bytes_out: figures.bytes_out,
            log_bytes_dropped: figures.dropped_log_bytes,
            memory_peak_bytes: figures.peak_memory,
            instances_live: figures.live,
        }
    }
}

/// What TLS shows to clients, and the files of TLS that are bad.
#[derive(Serialize)]
struct CertificatesPage {
    certificates: Vec<CertificatePage>,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct CertificatePage {
    names: Vec<String>,
    /// Seconds since 1970.
    not_after: i64,
}

#[derive(Serialize)]
struct RoutePage {
    name: String,
    methods: Vec<String>,
    hosts: Vec<String>,
    path: String,
    public: bool,
    plugins: Vec<String>,
    upstream: Option<String>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Admin {
    /// Serves until dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let admin = Arc::new(self);
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let admin = admin.clone();
            let service = service_fn(move |request| {
                let admin = admin.clone();
                async move { Ok::<_, Infallible>(admin.answer(request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(tcp), service);
            // Ends with its client, or with the process.
            tokio::spawn(served);
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        // A page in a browser may send a simple POST to loopback; it always names its origin.
        let foreign = request.headers().contains_key(http::header::ORIGIN);
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/livez") => page(StatusCode::OK, TEXT, "live\n"),
            (&Method::GET | &Method::HEAD, "/readyz") => page(StatusCode::OK, TEXT, "ready\n"),
            (&Method::GET, "/metrics") => page(StatusCode::OK, PROMETHEUS, self.gate.metrics()),
            (&Method::GET, "/plugins") => json(&self.plugins()),
            (&Method::GET, "/routes") => json(&self.routes()),
            (&Method::GET, "/upstreams") => json(&self.upstreams()),
            (&Method::GET, "/certificates") => json(&self.certificates()),
            (&Method::GET, "/cache") => json(&store::page(&self.gate)),
            (&Method::POST, "/reload" | "/cache/purge") if foreign => {
                page(StatusCode::FORBIDDEN, TEXT, "not from a browser\n")
            }
            (&Method::POST, "/reload") => self.reload().await,
            (&Method::POST, "/cache/purge") => store::purge(&self.gate, request).await,
            (
                _,
                "/livez" | "/readyz" | "/metrics" | "/plugins" | "/routes" | "/upstreams"
                | "/certificates" | "/cache" | "/reload" | "/cache/purge",
            ) => page(
                StatusCode::METHOD_NOT_ALLOWED,
                TEXT,
                "pages are for GET, /reload and /cache/purge are for POST\n",
            ),
            _ => page(
                StatusCode::NOT_FOUND,
                TEXT,
                "here are /livez /readyz /metrics /plugins /routes /upstreams /certificates /cache, \
                 and POST /reload /cache/purge\n",
            ),
        }
    }

    fn plugins(&self) -> Vec<PluginPage> {
        let generation = self.gate.lease();
        let refused = self
            .status
            .refused
            .lock()
            .map(|r| r.clone())
            .unwrap_or_default();
        let bills = self.gate.archive.metrics.bills();
        let page = |(name, plugin): (&Arc<str>, &Arc<portcullis_runtime::Plugin>)| {
            let bills = || bills.iter().filter(|(plugin, _, _)| plugin == name);
            PluginPage {
                name: name.to_string(),
                kind: plugin.kind().as_str(),
                digest: plugin.digest().to_string(),
                instance: if plugin.spec().kept { "kept" } else { "fresh" },
                can: Abilities::of(plugin).can(),
                imports: plugin.imports().to_vec(),
                configured: plugin.snapshot().to_string(),
                calls: bills().map(|(_, _, figures)| figures.calls()).sum(),
                failures: bills().map(|(_, _, figures)| figures.failures()).sum(),
                routes: bills()
                    .map(|(_, route, figures)| BillPage::of(route, figures))
                    .collect(),
                last_error: refused.get(name).cloned(),
            }
        };
        generation.plugins.iter().map(page).collect()
    }

    fn routes(&self) -> Vec<RoutePage> {
        let generation = self.gate.lease();
        let page = |route: &portcullis_config::plan::RoutePlan| RoutePage {
            name: route.name.to_string(),
            methods: route.methods.clone(),
            hosts: route.hosts.clone(),
            path: route.path.text.clone(),
            public: route.public,
            plugins: route.plugins.iter().map(|p| p.name.to_string()).collect(),
            upstream: route.upstream(),
        };
        generation.plan.routes.iter().map(page).collect()
    }

    /// The servers of each upstream, by its name.
    fn upstreams(&self) -> BTreeMap<String, Vec<ServerView>> {
        let generation = self.gate.lease();
        let page =
            |(name, upstream): (&Arc<str>, &Arc<Upstream>)| (name.to_string(), upstream.view());
        generation.upstreams.iter().map(page).collect()
    }

    fn certificates(&self) -> CertificatesPage {
        let generation = self.gate.lease();
        let tls = generation.tls.as_ref();
        let identities = tls.map(|tls| tls.parts().identities.as_slice());
        let page = |identity: &Arc<portcullis_proxy::tls::Identity>| CertificatePage {
            names: identity.names().to_vec(),
            not_after: identity.not_after(),
        };
        let stale = self.status.stale.lock();
        let stale = stale.map(|stale| stale.clone()).unwrap_or_default();
        CertificatesPage {
            certificates: identities.unwrap_or_default().iter().map(page).collect(),
            errors: stale
                .into_iter()
                .map(|(file, text)| (file.to_string(), text))
                .collect(),
        }
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        let (answer, done) = oneshot::channel();
        let asked = self
            .supervisor
            .send(ReloadRequest {
                cause: "admin",
                answer: Some(answer),
            })
            .await;
        match (asked, done.await) {
            (Ok(()), Ok(Ok(text))) => page(StatusCode::OK, TEXT, text + "\n"),
            (Ok(()), Ok(Err(text))) => page(StatusCode::UNPROCESSABLE_ENTITY, TEXT, text + "\n"),
            _ => page(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "the gateway is shutting down\n",
            ),
        }
    }
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => page(StatusCode::OK, JSON, text + "\n"),
        Err(error) => page(
            StatusCode::INTERNAL_SERVER_ERROR,
            TEXT,
            format!("{error}\n"),
        ),
    }
}

fn page(status: StatusCode, kind: &'static str, text: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(kind),
    );
    response
}

/// Until configuration and plugins are in: alive, not ready.
pub(crate) async fn serve_not_ready(listener: &TcpListener) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let service = service_fn(|request: Request<Incoming>| async move {
            let answer = match request.uri().path() {
                "/livez" => page(StatusCode::OK, TEXT, "live\n"),
                _ => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "loading\n"),
            };
            Ok::<_, Infallible>(answer)
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .serve_connection(TokioIo::new(tcp), service);
        tokio::spawn(served);
    }
}
