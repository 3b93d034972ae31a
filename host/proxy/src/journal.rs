//! The journal: one wide event per exchange. The access-log line and the metrics are views of it. It closes with
//! the last body byte, however that came about.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{Method, StatusCode};
use portcullis_config::plan::LogFormat;
use portcullis_runtime::Exchange;
use serde::Serialize;

use crate::access_log::AccessLog;
use crate::body::Watch;
use crate::cache::Outcome;
use crate::edge::Edge;
use crate::generation::Route;
use crate::limits::Limited;
use crate::metrics::{Metrics, RouteMetrics};
use crate::refusal::{Reason, Refusal};
use crate::shield::Place;
use crate::tunnel::Account;

/// Where journals go when they close.
#[derive(Debug)]
pub struct Archive {
    pub metrics: Arc<Metrics>,
    /// None: no access log.
    pub log: Option<AccessLog>,
    pub format: LogFormat,
}

/// Everything worth knowing about one exchange.
pub struct Journal {
    archive: Arc<Archive>,
    began: Instant,
    time: SystemTime,
    pub client_ip: IpAddr,
    pub method: Method,
    /// Without the query: it may hold a credential.
    pub path: String,
    pub host: String,
    pub request_id: Arc<str>,
    pub route: Option<Arc<str>>,
    pub route_metrics: Option<RouteMetrics>,
    pub caller: Option<Arc<str>>,
    pub upstream: Option<Arc<str>>,
    pub server: Option<Arc<str>>,
    /// What is done last to the answer, whatever that is.
    pub(crate) edge: Edge,
    pub status: StatusCode,
    pub request_body: Option<Arc<Watch>>,
    pub bytes_out: u64,
    /// Where the response came from, on a route that stores some.
    pub cache: Option<Outcome>,
    /// Not a client's: counted by the upstream only.
    beside: bool,
    /// What the limits said, and the places in them that end with this.
    pub limited: Limited,
    refusal: Option<Reason>,
    because: Option<String>,
    aborted: bool,
    /// Its metrics are written; only the line is still to come.
    counted: bool,
    socket: Option<Account>,
    closed: bool,
    /// Free again with the last byte.
    places: Vec<Place>,
}

/// The access-log line in JSON: its keys in this order.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    client_ip: IpAddr,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: f64,
    route: Option<&'a str>,
    caller: Option<&'a str>,
    upstream: Option<&'a str>,
    server: Option<&'a str>,
    cache: Option<&'a str>,
    request_id: &'a str,
    refusal: Option<&'a str>,
    /// The limit that did more than let pass, and what it did.
    limit: Option<&'a str>,
    limited: Option<&'a str>,
    because: Option<&'a str>,
    aborted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    websocket: Option<SocketLine>,
}

/// What a line says of a WebSocket, beside its bytes and duration.
#[derive(Serialize)]
struct SocketLine {
    ended: &'static str,
    code: Option<u16>,
    messages_in: u64,
    messages_out: u64,
}

impl Journal {
    pub fn open(
        archive: Arc<Archive>,
        client_ip: IpAddr,
        method: Method,
        path: &str,
        request_id: Arc<str>,
    ) -> Journal {
        archive.metrics.in_flight.inc();
        Journal {
            archive,
            began: Instant::now(),
            time: SystemTime::now(),
            client_ip,
            method,
            path: path.to_owned(),
            host: String::new(),
            request_id,
            route: None,
            route_metrics: None,
            caller: None,
            upstream: None,
            server: None,
            edge: Edge::default(),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            request_body: None,
            bytes_out: 0,
            cache: None,
            beside: false,
            limited: Limited::default(),
            refusal: None,
            because: None,
            aborted: false,
            counted: false,
            socket: None,
            closed: false,
            places: Vec::new(),
        }
    }

    /// For a request that the gateway makes on its own beside this one, to renew what it has stored.
    pub fn renewal(&self) -> Box<Journal> {
        let (ip, method) = (self.client_ip, Method::GET);
        let mut own = Journal::open(
            self.archive.clone(),
            ip,
            method,
            &self.path,
            self.request_id.clone(),
        );
        own.beside = true;
        own.host.clone_from(&self.host);
        own.route.clone_from(&self.route);
        own.upstream.clone_from(&self.upstream);
        own.caller.clone_from(&self.caller);
        own.because = Some("renews what is stored".to_owned());
        Box::new(own)
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    /// What admission established.
    pub fn admitted(&mut self, x: &Exchange) {
        self.client_ip = x.client_ip.unwrap_or(self.client_ip);
        // An extended CONNECT was admitted as a GET.
        self.method.clone_from(&x.method);
        self.path = x.target.path().to_owned();
        self.host.clone_from(&x.host);
    }

    pub fn routed(&mut self, route: &Route) {
        self.route = Some(route.name.clone());
        self.route_metrics = Some(route.metrics.clone());
    }

    /// Holds a place of a bulkhead until the exchange has ended.
    pub fn hold(&mut self, place: Option<Place>) {
        self.places.extend(place);
    }

    /// Notes that what is forwarded is not what was authorized, because a filter changed it.
    pub fn rewritten(&mut self, note: Option<String>) {
        self.because = note.or(self.because.take());
    }

    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.reason);
        self.because = refusal.because.clone().or_else(|| refusal.detail.clone());
        self.status = refusal.reason.status();
    }

    /// The response could not be sent to its end.
    pub fn broke_off(&mut self, error: &(dyn std::error::Error + 'static)) {
        self.aborted = true;
        self.because.get_or_insert_with(|| error.to_string());
    }

    pub fn close(mut self: Box<Self>, finished: bool) {
        self.aborted |= !finished;
        self.file();
    }

    /// The answer is complete, and a WebSocket begins with it: counted now as the request it was, logged when the
    /// socket ends.
    pub(crate) fn answered(&mut self) {
        // Places bound requests; sockets have limits of their own.
        self.places.clear();
        self.count(self.began.elapsed());
        self.counted = true;
    }

    /// How the WebSocket went.
    pub(crate) fn tunnelled(&mut self, account: Account, because: Option<String>) {
        self.bytes_out = account.passed[1].bytes;
        self.socket = Some(account);
        self.because = because.or(self.because.take());
    }

    fn file(&mut self) {
        self.closed = true;
        let took = self.began.elapsed();
        if !self.counted {
            self.count(took);
        }
        if self.aborted {
            self.archive.metrics.aborted.inc();
        }
        if let Some(log) = &self.archive.log {
            let line = match self.archive.format {
                LogFormat::Json => self.json(took),
                LogFormat::Text => self.text(took),
            };
            log.write(line);
        }
    }

    fn count(&self, took: std::time::Duration) {
        let metrics = &self.archive.metrics;
        metrics.in_flight.dec();
        let route = self.route_metrics.as_ref().unwrap_or(&metrics.unrouted);
        if !self.beside {
            route.observe(self.status, took);
        }
        if let Some(reason) = self.refusal {
            route.refused(reason);
        }
        metrics.bytes_out.inc_by(self.bytes_out);
        metrics.bytes_in.inc_by(self.bytes_in());
    }

    fn bytes_in(&self) -> u64 {
        match &self.socket {
            Some(account) => account.passed[0].bytes,
            None => self.request_body.as_ref().map_or(0, |watch| watch.bytes()),
        }
    }

    fn json(&self, took: std::time::Duration) -> Vec<u8> {
        let limited = self.limited.noted();
        let line = Line {
            time: humantime::format_rfc3339_millis(self.time).to_string(),
            client_ip: self.client_ip,
            method: self.method.as_str(),
            host: &self.host,
            path: &self.path,
            status: self.status.as_u16(),
            bytes_in: self.bytes_in(),
            bytes_out: self.bytes_out,
            duration_ms: millis(took),
            route: self.route.as_deref(),
            caller: self.caller.as_deref(),
            upstream: self.upstream.as_deref(),
            server: self.server.as_deref(),
            cache: self.cache.map(Outcome::as_str),
            request_id: &self.request_id,
            refusal: self.refusal.map(Reason::as_str),
            limit: limited.map(|(limit, _)| limit),
            limited: limited.map(|(_, outcome)| outcome),
            because: self.because.as_deref(),
            aborted: self.aborted,
            websocket: self.socket.map(|account| SocketLine {
                ended: account.ended,
                code: account.code,
                messages_in: account.passed[0].messages,
                messages_out: account.passed[1].messages,
            }),
        };
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        line
    }

    fn text(&self, took: std::time::Duration) -> Vec<u8> {
        let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let mut line = format!(
            "{} {} {} {} {} {} {:.1}ms route={} caller={} server={} id={}",
            humantime::format_rfc3339_millis(self.time),
            self.client_ip,
            self.method,
            self.path.escape_default(),
            self.status.as_u16(),
            self.bytes_out,
            millis(took),
            dash(self.route.as_deref()),
            dash(self.caller.as_deref()),
            dash(self.server.as_deref()),
            self.request_id,
        );
        if let Some(reason) = self.refusal {
            line.push_str(&format!(
                " refusal={} because={:?}",
                reason.as_str(),
                dash(self.because.as_deref())
            ));
        }
        if let Some((limit, outcome)) = self.limited.noted() {
            line.push_str(&format!(" limit={limit} limited={outcome}"));
        }
        if let Some(account) = &self.socket {
            line.push_str(&format!(" websocket={}", account.ended));
        }
        if self.aborted {
            line.push_str(" aborted");
        }
        line.push('\n');
        line.into_bytes()
    }
}

impl Drop for Journal {
    // A client that left before there was a response: the exchange's future was dropped, the journal with it. Or a
    // WebSocket that was cut when its worker ended.
    fn drop(&mut self) {
        if !self.closed {
            self.aborted = true;
            let cut = if self.counted {
                "cut at the end of the drain"
            } else {
                self.status = StatusCode::from_u16(499).expect("a valid code");
                "the client left before the response"
            };
            self.because.get_or_insert_with(|| cut.into());
            self.file();
        }
    }
}

fn millis(took: std::time::Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
