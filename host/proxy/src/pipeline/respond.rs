//! Who answers: a handler, the gateway itself, a server or the cache.

use std::sync::Arc;

use http::Response;
use hyper::body::{Body as _, Incoming};
use portcullis_exchange::Exchange;
use portcullis_runtime::Post;

use super::course::Course;
use super::route::Route;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::{Reason, Refusal};
use crate::observe::journal::Journal;
use crate::observe::watch::Watch;
use crate::stages::answer::Answers;
use crate::stages::cache::{self, Caching};
use crate::stages::clearance::Clearance;
use crate::stages::content::{self, Content};
use crate::stages::filters::{Filtered, body_for};
use crate::stages::forward::{Forwarding, forward};
use crate::stages::forwarded::Provenance;
use crate::stages::tunnel::{self, Ends, Wish};
use crate::upstreams::request_body::RequestBody;

/// What is at hand once a request has passed its filters.
pub(super) struct Ready<'a> {
    pub(super) provenance: Provenance,
    pub(super) wish: Option<Wish>,
    pub(super) deadline: &'a Deadline,
    pub(super) watch: &'a Arc<Watch>,
    /// Filters will look at the response, and may look at the request again.
    pub(super) keep_request: bool,
}

/// Answers an exchange as its route says. Boxed is what most exchanges do not do, so that none of them carries its size.
pub(super) async fn respond(
    mut clearance: Clearance,
    course: &Course,
    route: &Route,
    x: &mut Exchange,
    filtered: Filtered,
    ready: Ready<'_>,
    journal: &mut Journal,
) -> Result<Response<Content>, Refusal> {
    journal.hold(clearance.take_place());
    let body = match filtered {
        Filtered::On(body) => body,
        Filtered::Reply(reply) => return Ok(content::reply(reply)),
    };
    let upstream = match route.answer.to(x)? {
        Answers::Here(reply) => return Ok(content::reply(reply)),
        Answers::Handler(handler) => {
            return Box::pin(handle(clearance, handler, x, body, route.max_body)).await;
        }
        Answers::Upstream(upstream) => upstream,
    };
    journal.record.upstream = Some(upstream.name.clone());
    let forwarding = Forwarding {
        sender: course.served.worker.sender(),
        rules: &route.forward,
        watch: ready.watch,
        upstream,
        provenance: ready.provenance,
        deadline: ready.deadline,
        keep_request: ready.keep_request,
        journal,
    };
    if let Some(wish) = ready.wish {
        let ends = Ends {
            client: &course.served.client,
            rules: &route.sockets,
            draining: &course.served.worker.draining,
        };
        return Box::pin(tunnel::open(clearance, x, forwarding, wish, ends)).await;
    }
    let cache = &course.served.worker.gate.cache;
    match &route.cache {
        Some(store) => {
            let caching = Caching { cache, store };
            cache::through(clearance, x, body, forwarding, caching).await
        }
        None if x.method.is_safe() => forward(clearance, x, body, forwarding).await,
        // Other routes may store what this one changes.
        None => {
            let changed = cache::forward_and_invalidate(clearance, x, body, forwarding, cache);
            Box::pin(changed).await
        }
    }
}

/// Runs a handler plugin. The clearance is spent on it.
async fn handle(
    _: Clearance,
    handler: &Post,
    x: &mut Exchange,
    body: RequestBody,
    max_body: u64,
) -> Result<Response<Content>, Refusal> {
    x.request_body = body_for(handler, body, max_body).await?;
    let reply = handler.handle(x).await;
    let reply = reply.map_err(|error| Refusal::from_call(handler.name(), error))?;
    Ok(content::reply(reply))
}

/// The request body with its limit in bytes; one whose length says beforehand that it is too large is not begun.
pub(super) fn bounded(
    incoming: Incoming,
    max_body: u64,
    watch: &Arc<Watch>,
) -> Result<RequestBody, Refusal> {
    if incoming.size_hint().lower() > max_body {
        return Err(Refusal::new(Reason::BodyTooLarge)
            .detail(format!("the body may have at most {max_body} bytes"))
            .closing());
    }
    Ok(RequestBody::client(incoming, max_body, watch.clone()))
}
