//! `explain`: where a request would go, without going there.

use http::{Method, Request};
use portcullis_exchange::Trail;

use crate::ground::refusal::{Reason, Refusal};
use crate::observe::trace::{self, NOT_ASKED, Turn};
use crate::upstreams::servers::{Key, Upstream};

/// Picks a server as balancing would now, and asks nobody.
pub(crate) fn rehearse(
    trail: Option<&Trail>,
    method: &Method,
    upstream: &Upstream,
    key: Key,
) -> Refusal {
    if let Some(ticket) = upstream.pick(key, &[], 0) {
        let mut request = Request::new(());
        request.method_mut().clone_from(method);
        let (name, server) = (&upstream.name, ticket.server().asked());
        let step = trace::ask(trail, name, server, Turn::first(), &request);
        trace::ended(step, NOT_ASKED);
    }
    Refusal::new(Reason::UpstreamUnreachable).because("a rehearsal asks no server")
}
