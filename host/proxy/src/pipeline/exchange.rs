//! The way of a request. One function, [`pass`], read from top to bottom:
//!
//! ```text
//! admit → listener → find route → entry (addresses, CORS, maintenance, https) → deadline → take on (overload)
//!       → limits by address → room (bulkhead) → authorize (permit) → limits by caller → clearance
//!       → filters (request) → respond: handler | redirect | fixed | cache, forward | WebSocket
//!       → filters (response, reversed) → settle
//! ```
//!
//! [`serve`] calls it, and then lets the response leave (TLS, log, CORS, compression, limits, trace). Each line gives a
//! value that a later line needs, so that none can be left out: a handler runs and a request is forwarded only for a
//! [`Clearance`].

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body as _, Incoming};

use super::course::{Course, ServedClient};
use super::find::find;
use super::leave::Leaving;
use super::limits;
use super::respond::{Ready, bounded, respond};
use super::response_body::ResponseBody;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::stages::clearance::Clearance;
use crate::stages::content::Content;
use crate::stages::early::Early;
use crate::stages::edge::Edge;
use crate::stages::filters::Filters;
use crate::stages::grpc;
use crate::upstreams::shield::enter_route;

/// Answers one request. Never fails: a refusal is a response too.
pub async fn serve(
    served: Arc<ServedClient>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    // The connection is busy until the last byte; a fault is what its bytes had wrong already.
    let (busy, fault) = served.client.begin();
    let generation = served.worker.gate.lease();
    let course = Course { served, generation };
    let mut leaving = Leaving::new(grpc::is_spoken(&request));
    let mut journal = course.open_journal(&mut request, fault.is_some());
    let passed = match fault {
        Some(fault) => Err(Refusal::of_wire(fault).into()),
        None => Box::pin(pass(&course, request, &mut journal, &mut leaving)).await,
    };
    let (parts, content) = leaving.finish(passed, &course, &mut journal);
    let body = ResponseBody::new(content, journal, busy, course.generation);
    Response::from_parts(parts, body)
}

/// The way itself. The first refusal ends it.
async fn pass(
    course: &Course,
    request: Request<Incoming>,
    journal: &mut Journal,
    leaving: &mut Leaving,
) -> Result<Response<Content>, Early> {
    let mut arrival = course.admit(request, journal)?;
    let x = &mut arrival.x;

    let let_in = course.generation.listener.check(x)?;
    let route = find(&course.generation, let_in, x, journal)?;
    // First, so that a refusal of the entry has the CORS headers too.
    leaving.edge = Edge::of(&route.entry, x);
    let entered = route
        .entry
        .pass(x, &arrival.provenance, arrival.wish.is_some())?;
    let deadline = course.deadline(&route, x, journal)?;
    let taken_on = course.take_on(&route)?;
    let within_address = limits::by_address(&route, x, leaving, journal).await?;
    let room = enter_route(route.bulkhead.as_deref(), &deadline).await?;
    let permit = course.authorize(&route, &deadline, x, journal).await?;
    let within_caller = limits::by_caller(&route, x, leaving, journal).await?;
    let guards = (entered, taken_on, within_address, room, within_caller);
    let clearance = Clearance::of(permit, guards);

    let no_body = arrival.incoming.is_end_stream();
    let no_body = no_body.then_some(&course.served.worker.no_body);
    let watch = journal.watch(route.log, x, no_body);
    let body = bounded(arrival.incoming, route.max_body, &watch)?;
    let mut filters = Filters::of(&route.chain, route.max_body);
    let filtered = filters.request(x, body).await?;
    let ready = Ready {
        provenance: arrival.provenance,
        wish: arrival.wish,
        deadline: &deadline,
        watch: &watch,
        keep_request: filters.see_responses(),
    };
    let response = respond(clearance, course, &route, x, filtered, ready, journal).await?;
    let response = filters.response(x, response).await?;
    journal.not_in_trailers = std::mem::take(&mut x.changed_response_headers);
    Ok(arrival.ending.settle(response, &watch)?)
}
