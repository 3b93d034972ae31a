//! The edge: what is decided of a request before anybody is asked who they are, and what is done last to every answer.
//!
//! [`come_in`] and [`enter`] stand around the look-up of the route, [`Edge::leave`] behind everything else. Between
//! them [`Edge`] keeps what the answer needs of the request, whose headers are gone by then.

mod addresses;
mod answer;
mod compress;
mod cors;
mod figures;
mod limits;
mod maintenance;
mod mirror;
mod split;
mod vary;

use std::sync::Arc;

use http::{Method, Response, StatusCode, response};
use portcullis_config::plan::{HeadLimits, Plan, RoutePlan};
use portcullis_runtime::Exchange;

use crate::ground::refusal::Refusal;
use crate::pipeline::generation::{Generation, Route};
use crate::pipeline::metrics::Metrics;
use crate::stages::body::Content;
use crate::stages::router::{Found, Wanted};

pub(crate) use self::addresses::Access;
pub(crate) use self::answer::{Answer, Answers};
pub(crate) use self::compress::Compressed;
use self::compress::{Offer, Policy};
use self::cors::Cors;
pub(crate) use self::figures::Figures;
use self::maintenance::Maintenance;
pub(crate) use self::mirror::{Mirror, Mirrored};

/// What a route does at the edge.
#[derive(Debug)]
pub struct Rules {
    access: Access,
    /// None: those of the listener are all there is.
    limits: Option<HeadLimits>,
    /// Some while the route is closed.
    maintenance: Option<Maintenance>,
    cors: Option<Arc<Cors>>,
    compress: Option<Arc<Policy>>,
}

/// What the answer needs of the request.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    head: bool,
    cors: Option<cors::Asked>,
    compress: Option<Offer>,
}

impl Rules {
    pub(crate) fn new(plan: &Plan, route: &RoutePlan, metrics: &Metrics) -> Rules {
        let policy = |plan| Arc::new(Policy::new(plan, &metrics.edge));
        Rules {
            access: Access::new(&route.access),
            limits: Some(route.limits).filter(|limits| *limits != plan.listen.head_limits()),
            maintenance: Maintenance::of(&route.maintenance),
            cors: route
                .cors
                .as_ref()
                .map(|cors| Arc::new(Cors::new(cors, &route.methods))),
            compress: route.compress.clone().map(policy),
        }
    }
}

/// What the gateway as a whole asks of every request, whatever it is for.
pub(crate) fn come_in(generation: &Generation, x: &Exchange) -> Result<(), Refusal> {
    generation.access.check(x.client_ip)?;
    limits::check(&generation.plan.listen.head_limits(), x)
}

/// The route that a preflight is about: that of the method which it announces. None where this is no preflight, or
/// the route leaves CORS to its upstream.
pub(crate) fn preflight_route(generation: &Generation, x: &Exchange) -> Option<Found> {
    let method = cors::announced(x)?;
    let wanted = Wanted {
        host: &x.host,
        target: &x.target,
        method: &method,
        headers: &x.request,
    };
    let found = generation.router.find(wanted).ok()?;
    let cors = &generation.routes[found.route].rules.cors;
    cors.is_some().then_some(found)
}

/// What a route asks of every request. The answer to a preflight ends the way: it reaches nothing behind the edge.
/// `socket`: it is the handshake of a WebSocket, to these hosts.
pub(crate) fn enter(
    route: &Route,
    x: &Exchange,
    socket: Option<(&str, &str)>,
) -> Result<Option<Response<Content>>, Refusal> {
    let rules = &route.rules;
    rules.access.check(x.client_ip)?;
    if let Some(limits) = &rules.limits {
        limits::check_all(limits, x)?;
    }
    if let (Some(cors), Some(method)) = (&rules.cors, cors::announced(x)) {
        return cors.preflight(x, &method).map(Some);
    }
    if let (Some(cors), Some(hosts)) = (&rules.cors, socket) {
        cors.check_socket(x, hosts)?;
    }
    match &rules.maintenance {
        Some(maintenance) => maintenance.check(x.client_ip).map(|()| None),
        None => Ok(None),
    }
}

// === impl Edge ===

impl Edge {
    pub(crate) fn of(route: &Route, x: &Exchange) -> Edge {
        let Rules { cors, compress, .. } = &route.rules;
        Edge {
            head: x.method == Method::HEAD,
            cors: cors.clone().map(|cors| cors::Asked::of(cors, x)),
            compress: compress.clone().map(|policy| Offer::of(policy, x)),
        }
    }

    /// The last touch on an answer, be it a refusal.
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
