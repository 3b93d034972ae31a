//! The edge: what is decided of a request before anyone is authenticated, and what is done last to every response.
//!
//! [`Listener::check`] and [`Entry::pass`] stand around the look-up of the route, [`Edge::leave`] behind everything else.
//! Between them [`Edge`] keeps what the response needs of the request, whose headers are gone by then. What a route
//! does not use is None here, decided when its generation was built.

mod addresses;
mod compress;
mod cors;
mod https;
mod limits;
mod maintenance;
mod metrics;
mod vary;

use std::sync::Arc;

use http::{Method, StatusCode, response};
use portcullis_config::plan::{HeadLimits, Plan, RoutePlan};
use portcullis_exchange::Exchange;

use self::addresses::Access;
use self::compress::{Offer, Policy};
use self::cors::Cors;
pub(crate) use self::cors::announced as announced_method;
use self::https::HttpsOnly;
pub(crate) use self::https::write_hsts;
use self::maintenance::Maintenance;
pub(crate) use self::metrics::EdgeMetrics;
use crate::ground::refusal::Refusal;
use crate::stages::content::Content;
use crate::stages::early::Early;
use crate::stages::forwarded::Provenance;

/// What the gateway as a whole asks of every request, whatever it is for.
#[derive(Debug)]
pub(crate) struct Listener {
    access: Access,
    limits: HeadLimits,
}

/// What a route asks of every request before anyone is authenticated, and does last to every response.
#[derive(Debug)]
pub(crate) struct Entry {
    access: Access,
    /// None: those of the listener are all there is.
    limits: Option<HeadLimits>,
    cors: Option<Arc<Cors>>,
    /// Some while the route is closed.
    maintenance: Option<Maintenance>,
    /// Some where clients that came in clear text are sent to https.
    https: Option<HttpsOnly>,
    compress: Option<Arc<Policy>>,
}

/// Evidence that the listener lets a request in.
#[derive(Debug)]
pub(crate) struct LetIn(());

/// Evidence that the route lets a request in.
#[derive(Debug)]
pub(crate) struct Entered(());

/// What the response needs of the request.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    head: bool,
    cors: Option<cors::Asked>,
    compress: Option<Offer>,
}

// === impl Listener ===

impl Listener {
    pub(crate) fn new(plan: &Plan) -> Listener {
        Listener {
            access: Access::new(&plan.access),
            limits: plan.listen.head_limits(),
        }
    }

    pub(crate) fn check(&self, x: &Exchange) -> Result<LetIn, Refusal> {
        self.access.check(x.client_ip)?;
        limits::check(&self.limits, x)?;
        Ok(LetIn(()))
    }
}

// === impl Entry ===

impl Entry {
    pub(crate) fn new(plan: &Plan, route: &RoutePlan, metrics: &EdgeMetrics) -> Entry {
        let policy = |plan| Arc::new(Policy::new(plan, metrics));
        let https = HttpsOnly {
            port: plan.listen.https_port,
        };
        Entry {
            access: Access::new(&route.access),
            limits: Some(route.limits).filter(|limits| *limits != plan.listen.head_limits()),
            cors: route
                .cors
                .as_ref()
                .map(|cors| Arc::new(Cors::new(cors, &route.methods))),
            maintenance: Maintenance::of(&route.maintenance),
            https: route.redirect_https.then_some(https),
            compress: route.compress.clone().map(policy),
        }
    }

    /// Whether this route answers preflights; if not, they are its upstream's.
    pub(crate) fn has_cors(&self) -> bool {
        self.cors.is_some()
    }

    /// Lets a request in, or answers it: a preflight, or a request that has to come by https, reaches nothing behind
    /// the edge. `socket`: it is the handshake of a WebSocket.
    pub(crate) fn pass(
        &self,
        x: &Exchange,
        provenance: &Provenance,
        socket: bool,
    ) -> Result<Entered, Early> {
        self.access.check(x.client_ip)?;
        if let Some(limits) = &self.limits {
            limits::check_all(limits, x)?;
        }
        if let Some(cors) = &self.cors {
            if let Some(method) = cors::announced(x) {
                let response = cors.preflight(x, &method)?;
                return Err(Early::Answered(Box::new(response)));
            }
            if socket {
                cors.check_socket(x, provenance.hosts())?;
            }
        }
        if let Some(maintenance) = &self.maintenance {
            maintenance.check(x.client_ip)?;
        }
        let redirect = match self.https {
            Some(https) => https.redirect(x, provenance)?,
            None => None,
        };
        match redirect {
            Some(response) => Err(Early::Answered(Box::new(response))),
            None => Ok(Entered(())),
        }
    }
}

// === impl Edge ===

impl Edge {
    pub(crate) fn of(entry: &Entry, x: &Exchange) -> Edge {
        let Entry { cors, compress, .. } = entry;
        Edge {
            head: x.method == Method::HEAD,
            cors: cors.clone().map(|cors| cors::Asked::of(cors, x)),
            compress: compress.clone().map(|policy| Offer::of(policy, x)),
        }
    }

    /// CORS and compression, for every response, be it a refusal.
    pub(crate) fn leave(self, parts: &mut response::Parts, content: Content) -> Content {
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return content;
        }
        if let Some(cors) = self.cors {
            cors.write(&mut parts.headers);
        }
        match self.compress {
            Some(offer) => offer.take(self.head, parts, content),
            None => content,
        }
    }
}
