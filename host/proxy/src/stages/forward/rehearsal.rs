//! `explain`: where a request would go, without going there.

use http::Request;
use portcullis_runtime::Exchange;

use crate::ground::refusal::{Reason, Refusal};
use crate::observe::trace::{self, Turn};
use crate::upstreams::servers::Upstream;

/// How a step ends that was not taken.
pub(crate) const NOT_ASKED: &str = "not_asked";

/// Picks a server as balancing would now, and asks nobody.
pub(crate) fn rehearse(x: &Exchange, upstream: &Upstream) -> Refusal {
    if let Some(ticket) = upstream.pick(upstream.key(x), &[], 0) {
        let mut request = Request::new(());
        request.method_mut().clone_from(&x.method);
        let step = trace::ask(x, upstream, ticket.server(), Turn::first(), &request);
        if let Some(step) = step {
            step.end(NOT_ASKED);
        }
    }
    Refusal::new(Reason::UpstreamUnreachable).because("a rehearsal asks no server")
}
