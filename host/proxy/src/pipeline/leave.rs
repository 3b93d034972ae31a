//! What is done last to every response, in one place and one order.

use http::header::{CONNECTION, HeaderValue};
use http::{Response, response};

use super::course::Course;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::stages::content::Content;
use crate::stages::early::Early;
use crate::stages::edge::{Edge, write_hsts};
use crate::stages::grpc;
use crate::stages::limits::Limited;
use crate::wire::guard::Client;

/// What the stages have found out so far that the response will show.
#[derive(Default)]
pub(super) struct Leaving {
    /// CORS and compression of the route, once it is found.
    pub(super) edge: Edge,
    /// What the limits said, and the places in them.
    pub(super) limited: Limited,
    /// Refusals are in the way of gRPC.
    grpc: bool,
}

impl Leaving {
    pub(super) fn new(grpc: bool) -> Leaving {
        Leaving {
            grpc,
            ..Leaving::default()
        }
    }

    /// The response as the client sees it. In this order:
    ///
    /// 1. a refusal becomes a problem document, or the status of gRPC;
    /// 2. `Strict-Transport-Security`;
    /// 3. the access log's share of the body, before it is compressed;
    /// 4. CORS, then compression;
    /// 5. the journal keeps status and headers;
    /// 6. `RateLimit` and its places; `Server-Timing` and the trail, which say what all of it took.
    pub(super) fn finish(
        self,
        passed: Result<Response<Content>, Early>,
        course: &Course,
        journal: &mut Journal,
    ) -> (response::Parts, Content) {
        let response = match passed {
            Ok(response) => response,
            Err(Early::Answered(response)) => *response,
            Err(Early::Refused(refusal)) => {
                let refusal = blame_the_wire(&course.served.client, refusal);
                journal.refuse(&refusal);
                refused(&refusal, self.grpc, journal)
            }
        };
        let (mut parts, mut content) = response.into_parts();
        write_hsts(
            &course.served.client,
            course.generation.tls.as_deref(),
            &mut parts.headers,
        );
        if let Some(tap) = journal.tap(&parts.headers) {
            content = content.tapped(tap);
        }
        let content = self.edge.leave(&mut parts, content);
        journal.headed(&parts);
        self.limited.tell(&mut parts.headers);
        if self.limited.holds_places() {
            journal.keep(self.limited);
        }
        journal.trace.write(&journal.record, &mut parts.headers);
        (parts, content)
    }
}

/// A refusal as a response.
fn refused(refusal: &Refusal, grpc: bool, journal: &Journal) -> Response<Content> {
    let response = refusal.to_response(&journal.record.request_id);
    let mut response = response.map(Content::full);
    if refusal.close {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    if grpc {
        grpc::refusal(refusal, response)
    } else {
        response
    }
}

/// A body that was malformed or too slow shows up as a failure further on; the client learns the cause.
fn blame_the_wire(client: &Client, refusal: Refusal) -> Refusal {
    match client.fault.get() {
        Some(fault) => Refusal::of_wire(*fault),
        None => refusal,
    }
}
