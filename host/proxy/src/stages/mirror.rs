//! Mirroring: copies of requests for another upstream, whose answers are thrown away.
//!
//! A copy is sent once the whole request has passed, from memory: the real request waits for nothing and never learns
//! what became of its copy. What does not fit is not copied, and counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, TRAILER};
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use portcullis_config::plan::{MirrorPlan, RoutePlan};
use portcullis_exchange::{Call, Exchange, Outbound, OutboundError};
use prometheus::IntCounter;

use crate::ground::body::BoxError;
use crate::stages::edge::EdgeMetrics;
use crate::upstreams::request_body::RequestBody;
use crate::upstreams::servers::Upstream;

#[derive(Debug)]
pub(crate) struct Mirror {
    plan: MirrorPlan,
    /// `x-mirrored`
    mark: HeaderValue,
    timeout: Duration,
    turn: AtomicU64,
    in_flight: AtomicUsize,
    counts: Counts,
}

#[derive(Debug)]
struct Counts {
    sent: IntCounter,
    failed: IntCounter,
    busy: IntCounter,
    too_large: IntCounter,
    incomplete: IntCounter,
}

/// A place among the copies in flight.
#[derive(Debug)]
struct Place(Arc<Mirror>);

/// A copy being made.
struct Draft {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<Bytes>,
    bytes: usize,
    outbound: Arc<dyn Outbound>,
    place: Place,
}

/// A request body of which a copy is made while it passes.
struct Mirrored {
    inner: RequestBody,
    /// None once it was sent or given up.
    copy: Option<Draft>,
}

/// Marks copies, so that a service can tell them; taken from every request that comes in.
pub(crate) const X_MIRRORED: HeaderName = HeaderName::from_static("x-mirrored");
/// More of an answer is not read; the connection is closed instead of used again.
const ANSWER: usize = 64 * 1024;

// === impl Mirror ===

impl Mirror {
    /// None where a route has none.
    pub(crate) fn of(
        route: &RoutePlan,
        upstream: impl Fn(&str) -> Option<Arc<Upstream>>,
        metrics: &EdgeMetrics,
    ) -> Option<Arc<Mirror>> {
        let plan = route.mirror.as_ref()?;
        let name = &*route.name;
        let mirrored = &metrics.mirrored;
        let count = |outcome| mirrored.with_label_values(&[name, outcome]);
        Some(Arc::new(Mirror {
            plan: plan.clone(),
            mark: HeaderValue::from_str(name).ok()?,
            timeout: upstream(&plan.upstream)?.timeouts.total,
            turn: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            counts: Counts {
                sent: count("sent"),
                failed: count("failed"),
                busy: count("busy"),
                too_large: count("too_large"),
                incomplete: count("incomplete"),
            },
        }))
    }

    /// Begins to copy a request that is about to be sent, if it is one of those to be copied.
    pub(crate) fn copy(
        self: &Arc<Self>,
        request: Request<RequestBody>,
        x: &Exchange,
    ) -> Request<RequestBody> {
        let Some(outbound) = x.outbound.clone().filter(|_| self.is_next()) else {
            return request;
        };
        let limit = self.plan.max_body as u64;
        if request.body().size_hint().lower() > limit {
            self.counts.too_large.inc();
            return request;
        }
        let Some(place) = self.place() else {
            self.counts.busy.inc();
            return request;
        };
        let mut headers = request.headers().clone();
        headers.insert(X_MIRRORED, self.mark.clone());
        // A copy is sent from memory, without what came after the body.
        headers.remove(TRAILER);
        let copy = Draft {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers,
            body: Vec::new(),
            bytes: 0,
            outbound,
            place,
        };
        let (parts, body) = request.into_parts();
        let body = match body {
            RequestBody::Full(bytes) => {
                copy.send(bytes.clone().unwrap_or_default());
                RequestBody::Full(bytes)
            }
            inner => RequestBody::Wrapped(Box::pin(Mirrored {
                inner,
                copy: Some(copy),
            })),
        };
        Request::from_parts(parts, body)
    }

    /// Evenly: of a hundred requests in a row exactly as many as the share says.
    fn is_next(&self) -> bool {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let share = u64::from(self.plan.share);
        (turn % 100 + 1) * share / 100 > turn % 100 * share / 100
    }

    fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (taken < self.plan.in_flight).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Draft ===

impl Draft {
    /// None: larger than what is copied.
    fn with(mut self, data: &Bytes) -> Option<Draft> {
        let mirror = &self.place.0;
        self.bytes += data.len();
        if self.bytes > mirror.plan.max_body {
            mirror.counts.too_large.inc();
            return None;
        }
        self.body.push(data.clone());
        Some(self)
    }

    fn send_collected(mut self) {
        let body = match self.body.as_mut_slice() {
            [only] => std::mem::take(only),
            parts => {
                let mut whole = Vec::with_capacity(self.bytes);
                parts.iter().for_each(|part| whole.extend_from_slice(part));
                whole.into()
            }
        };
        self.send(body);
    }

    /// In a task of its own, which ends with the answer or its time-out.
    fn send(self, body: Bytes) {
        let Draft {
            method,
            uri,
            headers,
            outbound,
            place,
            ..
        } = self;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let mirror = &place.0;
        let call = outbound.call(Call {
            upstream: mirror.plan.upstream.to_string(),
            request,
            timeout: mirror.timeout,
            max_response: ANSWER,
        });
        tokio::spawn(async move {
            let counts = &place.0.counts;
            match call.await {
                Ok(_) | Err(OutboundError::TooLarge) => counts.sent.inc(),
                Err(_) => counts.failed.inc(),
            }
        });
    }
}

// === impl Mirrored ===

impl Body for Mirrored {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let ended = match &polled {
            Some(Ok(frame)) => {
                if let (Some(data), Some(copy)) = (frame.data_ref(), self.copy.take()) {
                    self.copy = copy.with(data);
                }
                self.inner.is_end_stream()
            }
            Some(Err(_)) => false,
            None => true,
        };
        if ended && let Some(copy) = self.copy.take() {
            copy.send_collected();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Mirrored {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            copy.place.0.counts.incomplete.inc();
        }
    }
}
