//! The way of a request. One function, [`pass`], read from top to bottom:
//!
//! ```text
//! admit → listener → find route → entry (addresses, CORS, maintenance, https) → overload → limits by address
//!       → bulkhead → permit (authenticate, authorize) → limits by caller → clearance
//!       → filters (request) → answer: handler | redirect | respond | cache, forward | WebSocket
//!       → filters (response, reversed) → leave (TLS, log, CORS, compression, limits, trace)
//! ```
//!
//! Each line gives a value that a later line needs, so that none can be left out: a handler runs and a request is
//! forwarded only for a [`Clearance`].

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::course::Course;
use super::find::find;
use super::leave::{Leaving, ended};
use super::respond::{Ready, bounded, respond};
use super::response_body::ResponseBody;
use super::worker::Worker;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::stages::admit::{Arrival, admit};
use crate::stages::calls::Calls;
use crate::stages::clearance::Clearance;
use crate::stages::content::{self, Content};
use crate::stages::early::Early;
use crate::stages::edge::Edge;
use crate::stages::filters::Filters;
use crate::stages::grpc;
use crate::stages::permit::Permit;
use crate::upstreams::shield::enter_route;
use crate::wire::guard::Client;

/// Answers one request. Never fails: a refusal is a response too.
pub async fn serve(
    worker: Arc<Worker>,
    client: Arc<Client>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let (busy, fault) = client.begin();
    let generation = worker.gate.lease();
    let course = Course {
        worker,
        client,
        generation,
    };
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
    let (worker, generation) = (&course.worker, &course.generation);
    let peer = generation.peer(&course.client);
    let mut arrival = admit(request, peer, journal.record.request_id.clone())?;
    journal.admitted(&mut arrival.x, std::mem::take(&mut arrival.doubts));
    let Arrival {
        mut x,
        incoming,
        provenance,
        wish,
        version,
        ..
    } = arrival;

    let let_in = generation.listener.check(&x)?;
    let route = find(generation, let_in, &mut x, journal)?;
    leaving.edge = Edge::of(&route.entry, &x);
    let entered = route.entry.pass(&x, &provenance, wish.is_some())?;
    let header = generation.deadline_header.as_ref();
    let deadline = Deadline::of(&x.request, route.deadline, header, journal.began())?;
    let overload = &generation.plan.overload;
    let taken_on = worker.pressure.take_on(overload, route.priority)?;
    let (limited, noted) = (&mut leaving.limited, &mut journal.record.limit);
    let within_address = route.limits.by_address(&x, limited, noted).await?;
    journal.hold(enter_route(route.bulkhead.as_deref(), &deadline).await?);

    x.outbound = Some(Calls::port(
        worker.sender(),
        &generation.upstreams,
        &deadline,
        &x,
    ));
    let permit = Permit::obtain(route.door, &route.chain, &mut x).await;
    journal.record.caller = x.caller.as_ref().map(|caller| caller.id.clone());
    let (permit, noted) = (permit?, &mut journal.record.limit);
    let within_caller = route.limits.by_caller(&x, limited, noted).await?;
    let clearance = Clearance::of(permit, entered, taken_on, within_address, within_caller);

    let watch = journal.watch(route.log, &x);
    let body = bounded(incoming, route.max_body, &watch)?;
    let (head, connects) = (
        x.method == Method::HEAD,
        wish.as_ref().is_some_and(|w| w.is_connect()),
    );
    let mut filters = Filters::of(&route.chain, route.max_body);
    let (body, reply) = filters.request(&mut x, body).await?;
    filters.narrow(&mut x);
    let ready = Ready {
        body,
        provenance,
        wish,
        deadline: &deadline,
        watch: &watch,
        keep_request: filters.see_responses(),
    };
    let response = match reply {
        Some(reply) => content::reply(reply),
        None => respond(clearance, course, &route, &mut x, ready, journal).await?,
    };
    let response = filters.response(&mut x, response, head).await?;
    Ok(ended(response, connects, version, &watch)?)
}
