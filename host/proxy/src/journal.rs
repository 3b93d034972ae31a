//! The journal: one wide event per exchange, which closes with the last body byte, however that came about. The
//! access-log line, the metrics and whatever else tells of exchanges are views of it, made when it closes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::response::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use portcullis_config::plan::RouteLog;
use portcullis_runtime::Exchange;

use crate::admit::Doubts;
use crate::body::{Content, Watch};
use crate::cache::Outcome;
use crate::edge::Edge;
use crate::generation::Route;
use crate::limits::Limited;
use crate::log::{AccessLog, Tap, Tapped, Told};
use crate::metrics::{Metrics, RouteMetrics};
use crate::refusal::{Reason, Refusal};
use crate::shield::Place;
use crate::tail::Tail;
use crate::trace::{self, Trace, Tracer};
use crate::tunnel::Account;

/// Where journals go when they close.
#[derive(Debug)]
pub struct Archive {
    pub metrics: Arc<Metrics>,
    /// None: no access log.
    pub log: Option<AccessLog>,
    /// None: no traces.
    pub tracer: Option<Arc<Tracer>>,
    /// For who looks on.
    pub tail: Arc<Tail>,
}

/// Everything worth knowing about one exchange.
pub struct Journal {
    archive: Arc<Archive>,
    began: Instant,
    pub(crate) time: SystemTime,
    /// None: a trusted proxy does not say clearly who it is.
    pub client_ip: Option<IpAddr>,
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
    /// What of the request was not believed.
    pub(crate) doubts: Doubts,
    /// For those who look at this exchange.
    pub(crate) trace: Trace,
    /// What is done last to the answer, whatever that is.
    pub(crate) edge: Edge,
    pub status: StatusCode,
    pub request_body: Option<Arc<Watch>>,
    pub bytes_out: u64,
    /// Headers that plugins set or removed: the upstream has no second word on them in a trailer.
    pub(crate) not_in_trailers: Vec<HeaderName>,
    /// Where the response came from, on a route that stores some.
    pub cache: Option<Outcome>,
    /// Not a client's: counted by the upstream only.
    beside: bool,
    /// What the limits said, and the places in them that end with this.
    pub limited: Limited,
    pub(crate) refusal: Option<Reason>,
    pub(crate) because: Option<String>,
    pub(crate) aborted: bool,
    /// Its metrics are written; only the line is still to come.
    counted: bool,
    pub(crate) socket: Option<Account>,
    /// How much of the response body the access log may tell.
    log_response: Option<usize>,
    /// What the access log alone wants to know.
    pub(crate) told: Option<Box<Told>>,
    closed: bool,
    /// Free again with the last byte.
    places: Vec<Place>,
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
            client_ip: Some(client_ip),
            method,
            path: path.to_owned(),
            host: String::new(),
            request_id,
            route: None,
            route_metrics: None,
            caller: None,
            upstream: None,
            server: None,
            doubts: Doubts::default(),
            trace: Trace::default(),
            edge: Edge::default(),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            request_body: None,
            bytes_out: 0,
            not_in_trailers: Vec::new(),
            cache: None,
            beside: false,
            limited: Limited::default(),
            refusal: None,
            because: None,
            aborted: false,
            counted: false,
            socket: None,
            log_response: None,
            told: None,
            closed: false,
            places: Vec::new(),
        }
    }

    /// For a request that the gateway makes on its own beside this one, to renew what it has stored.
    pub fn renewal(&self) -> Box<Journal> {
        let (ip, method) = (IpAddr::from([0; 4]), Method::GET);
        let mut own = Journal::open(
            self.archive.clone(),
            ip,
            method,
            &self.path,
            self.request_id.clone(),
        );
        own.beside = true;
        own.client_ip = self.client_ip;
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
    pub(crate) fn admitted(&mut self, x: &mut Exchange, doubts: Doubts) {
        self.trace.admitted(x);
        self.client_ip = x.client_ip;
        self.archive.metrics.edge.dropped(&doubts.dropped);
        self.doubts = doubts;
        // An extended CONNECT was admitted as a GET.
        self.method.clone_from(&x.method);
        self.path = x.target.path().to_owned();
        self.host.clone_from(&x.host);
        self.told = self.archive.log.as_ref().and_then(|log| log.request(x));
    }

    /// Watches the request body, and keeps of it what the route wants told.
    pub fn watch(&mut self, route: &Route, x: &Exchange) -> Arc<Watch> {
        let log = self.archive.log.as_ref();
        let wanted = log.map_or_else(RouteLog::default, |_| route.log);
        let tap = wanted.request_body;
        let tap = tap.map(|limit| Tap::new(&x.request, limit));
        if tap.is_some() {
            self.told
                .get_or_insert_default()
                .request_body
                .clone_from(&tap);
        }
        let watch = Arc::new(Watch::tapped(tap));
        self.request_body = Some(watch.clone());
        self.log_response = wanted.response_body;
        watch
    }

    /// The same content; what the route wants told of it is kept as it passes.
    pub fn tap(&mut self, headers: &HeaderMap, content: Content) -> Content {
        let Some(limit) = self.log_response else {
            return content;
        };
        let tap = Tap::new(headers, limit);
        self.told.get_or_insert_default().response_body = Some(tap.clone());
        Tapped::content(content, tap)
    }

    /// The head of the response as the client sees it.
    pub fn headed(&mut self, head: &Parts) {
        self.status = head.status;
        if let (Some(log), Some(told)) = (&self.archive.log, &mut self.told) {
            log.response(told, &head.headers);
        }
    }

    pub fn routed(&mut self, route: &Route, x: &mut Exchange) {
        self.trace.routed(route, x, self.began);
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
        self.trace.refused();
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

    /// The end of an exchange, however it came: the one place where every view of it is made.
    fn file(&mut self) {
        self.closed = true;
        self.archive.tail.ended(self);
        let took = self.began.elapsed();
        if !self.counted {
            self.count(took);
        }
        if self.aborted {
            self.archive.metrics.aborted.inc();
        }
        if let Some(log) = &self.archive.log {
            log.tell(self, took);
        }
        if let Some(tracer) = self.archive.tracer.clone() {
            trace::file(self, &tracer, self.time, took);
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

    pub(crate) fn bytes_in(&self) -> u64 {
        match &self.socket {
            Some(account) => account.passed[0].bytes,
            None => self.request_body.as_ref().map_or(0, |watch| watch.bytes()),
        }
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
