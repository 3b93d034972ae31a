//! Finding the route of a request.

use std::sync::Arc;

use portcullis_exchange::Exchange;

use super::generation::Generation;
use super::route::Route;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::trace::Routed;
use crate::stages::edge::{LetIn, announced_method};
use crate::stages::router::{Found, NotFound, Wanted};

/// Finds the route, and names it in the exchange and the journal.
pub(super) fn find(
    generation: &Generation,
    _: LetIn,
    x: &mut Exchange,
    journal: &mut Journal,
) -> Result<Arc<Route>, Refusal> {
    if x.host.is_empty() && generation.router.asks_for_hosts() {
        // Which route is meant depends on the host: a request without one must not go round the routes that have one.
        return Err(Refusal::new(Reason::InvalidRequest)
            .detail("the request names no host, and what is served here depends on it"));
    }
    if let Some(name) = generation.router.ambiguous_parameter(&x.target) {
        return Err(Refusal::new(Reason::InvalidRequest).detail(format!(
            "the query may say `{name}` twice, or in a way that services read differently, and what is served here depends on it"
        )));
    }
    let wanted = Wanted {
        host: &x.host,
        target: &x.target,
        method: &x.method,
        headers: &x.request,
    };
    let found = match preflight_route(generation, x) {
        Some(found) => Ok(found),
        None => generation.router.find(wanted),
    };
    let found = found.map_err(|problem| match problem {
        NotFound::Path => Refusal::new(Reason::RouteNotFound),
        NotFound::Method(allowed) => Refusal::method_not_allowed(&allowed),
    })?;
    let route = generation.routes[found.route].clone();
    x.params = found.params;
    x.route = route.name.clone();
    journal.routed(&route.name, &route.metrics);
    let routed = Routed {
        name: &route.name,
        pattern: &route.path,
        server_timing: route.server_timing,
    };
    let began = journal.began();
    journal.trace.routed(&routed, x, began);
    Ok(route)
}

/// The route that a preflight is about: that of the method which it announces. None where this is no preflight, or
/// the route leaves CORS to its upstream.
fn preflight_route(generation: &Generation, x: &Exchange) -> Option<Found> {
    let method = announced_method(x)?;
    let wanted = Wanted {
        host: &x.host,
        target: &x.target,
        method: &method,
        headers: &x.request,
    };
    let found = generation.router.find(wanted).ok()?;
    generation.routes[found.route]
        .entry
        .has_cors()
        .then_some(found)
}
