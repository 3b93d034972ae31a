//! The record of an exchange: plain facts, of which the access log, traces, metrics and the feed of refusals are views.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use portcullis_exchange::Target;

use crate::ground::refusal::{Reason, Refusal};
use crate::ground::sift::Dropped;
use crate::observe::tap::Tap;
use crate::observe::watch::Watch;

/// Everything worth knowing about one exchange.
#[derive(Debug)]
pub struct Record {
    pub(crate) began: Instant,
    pub(crate) time: SystemTime,
    /// None: a trusted proxy does not say clearly who it is.
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) method: Method,
    /// None: it is not believed.
    target: Option<PathAndQuery>,
    pub(crate) host: Arc<str>,
    pub(crate) request_id: Arc<str>,
    /// None: the exchange is in no trace.
    pub(crate) trace: Option<u128>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) caller: Option<Arc<str>>,
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) server: Option<Arc<str>>,
    /// What of the request was not believed.
    pub(crate) doubts: Doubts,
    pub(crate) status: StatusCode,
    pub(crate) request_body: Option<Arc<Watch>>,
    pub(crate) bytes_out: u64,
    /// Where the response came from, on a route that stores some.
    pub(crate) cache: Option<CacheOutcome>,
    /// The last limit that did more than let pass, and what it did.
    pub(crate) limit: Option<(Arc<str>, &'static str)>,
    pub(crate) refusal: Option<Reason>,
    pub(crate) because: Option<String>,
    pub(crate) aborted: bool,
    pub(crate) socket: Option<SocketRecord>,
    /// What the access log alone wants to know.
    pub(crate) excerpt: Option<Box<Excerpt>>,
}

/// What a request said that was not believed.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    pub(crate) dropped: Dropped,
    /// What a trusted proxy said of the client, as it came, where it is not clear.
    pub(crate) not_understood: Option<String>,
}

/// Parts of the messages that `[log]` or the route asks for.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    pub(crate) query: Option<String>,
    pub(crate) request_headers: Option<HeaderMap>,
    pub(crate) response_headers: Option<HeaderMap>,
    pub(crate) request_body: Option<Tap>,
    pub(crate) response_body: Option<Tap>,
}

/// How a WebSocket went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketRecord {
    pub(crate) ended: &'static str,
    pub(crate) code: Option<u16>,
    /// From the client, and from the server.
    pub(crate) passed: [Passed; 2],
}

/// What went from one end of a WebSocket to the other.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
}

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheOutcome {
    /// From the store, fresh.
    Hit,
    /// From the store, no longer fresh.
    Stale,
    /// From the store, after the upstream said that it is still the one.
    Revalidated,
    /// From the answer to another request.
    Coalesced,
    /// From the upstream.
    Miss,
    /// From the upstream, the store not asked.
    Bypass,
}

// === impl Record ===

impl Record {
    pub(crate) fn new(
        client_ip: Option<IpAddr>,
        method: Method,
        target: Option<PathAndQuery>,
        request_id: Arc<str>,
    ) -> Record {
        Record {
            began: Instant::now(),
            time: SystemTime::now(),
            client_ip,
            method,
            target,
            host: Arc::default(),
            request_id,
            trace: None,
            route: None,
            caller: None,
            upstream: None,
            server: None,
            doubts: Doubts::default(),
            status: StatusCode::INTERNAL_SERVER_ERROR,
            request_body: None,
            bytes_out: 0,
            cache: None,
            limit: None,
            refusal: None,
            because: None,
            aborted: false,
            socket: None,
            excerpt: None,
        }
    }

    /// Of a request that the gateway makes for itself because of this one.
    pub(crate) fn renewal(&self) -> Record {
        let request_id = self.request_id.clone();
        let mut own = Record::new(self.client_ip, Method::GET, self.target.clone(), request_id);
        own.host.clone_from(&self.host);
        own.route.clone_from(&self.route);
        own.upstream.clone_from(&self.upstream);
        own.caller.clone_from(&self.caller);
        own.because = Some("renews what is stored".to_owned());
        own
    }

    /// Without the query: it may hold a credential.
    pub(crate) fn path(&self) -> &str {
        self.target.as_ref().map_or("", PathAndQuery::path)
    }

    /// What the request was admitted as.
    pub(crate) fn admitted_as(&mut self, target: &Target) {
        self.target = Some(target.to_path_and_query());
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some(refusal.reason);
        self.because = refusal.because.clone().or_else(|| refusal.detail.clone());
        self.status = refusal.reason.status();
    }

    /// In hexadecimal, as the access log and traces write it.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.trace.map(|id| format!("{id:032x}"))
    }

    /// Bytes of the request body, or of what a WebSocket's client sent.
    pub(crate) fn bytes_in(&self) -> u64 {
        match &self.socket {
            Some(socket) => socket.passed[0].bytes,
            None => self.request_body.as_ref().map_or(0, |watch| watch.bytes()),
        }
    }
}

// === impl CacheOutcome ===

impl CacheOutcome {
    pub(crate) const ALL: [CacheOutcome; 6] = [
        CacheOutcome::Hit,
        CacheOutcome::Stale,
        CacheOutcome::Revalidated,
        CacheOutcome::Coalesced,
        CacheOutcome::Miss,
        CacheOutcome::Bypass,
    ];

    /// The metric label and the field of the access log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            CacheOutcome::Hit => "hit",
            CacheOutcome::Stale => "stale",
            CacheOutcome::Revalidated => "revalidated",
            CacheOutcome::Coalesced => "coalesced",
            CacheOutcome::Miss => "miss",
            CacheOutcome::Bypass => "bypass",
        }
    }
}
