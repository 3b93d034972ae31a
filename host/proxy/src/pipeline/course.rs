//! What an exchange has at hand on its whole way.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use portcullis_exchange::Exchange;

use super::generation::Generation;
use super::route::Route;
use super::worker::Worker;
use crate::ground::clock::ms_since_1970;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::observe::trace::{Beginning, Trace};
use crate::stages::admit::{Arrival, admit};
use crate::stages::calls::Calls;
use crate::stages::forwarded::{self, LastSaid};
use crate::stages::overload::TakenOn;
use crate::stages::permit::Permit;
use crate::wire::guard::Client;

/// A connection of a client at the worker that serves it: what its exchanges have in common.
pub struct ServedClient {
    pub worker: Arc<Worker>,
    pub client: Arc<Client>,
    last_said: LastSaid,
}

/// Where an exchange goes on: its connection, and the generation that it leases to its last byte.
pub(crate) struct Course {
    pub(crate) served: Arc<ServedClient>,
    pub(crate) generation: Arc<Generation>,
}

impl ServedClient {
    pub fn new(worker: Arc<Worker>, client: Arc<Client>) -> Arc<ServedClient> {
        Arc::new(ServedClient {
            worker,
            client,
            last_said: LastSaid::default(),
        })
    }
}

impl Course {
    /// Opens the journal, and takes out of the request what is only for the gateway. `faulty`: the bytes of the
    /// request were bad, so that not even its target is believed.
    pub(super) fn open_journal<B>(&self, request: &mut Request<B>, faulty: bool) -> Box<Journal> {
        let gate = &self.served.worker.gate;
        let peer = self.generation.peer(&self.served.client);
        let id = if peer.is_trusted() {
            forwarded::request_id(request.headers())
        } else {
            None
        };
        let target = request.uri().path_and_query().filter(|_| !faulty).cloned();
        let mut journal = Box::new(Journal::open(
            gate.sinks.clone(),
            peer.ip,
            request.method().clone(),
            target,
            self.served.worker.request_id(id),
        ));
        let beginning = Beginning {
            debug_key: self.generation.plan.debug_key.as_ref(),
            shown: gate.rehearses,
            tracer: gate.sinks.tracer.as_deref(),
            is_trusted: peer.is_trusted(),
            scheme: peer.scheme,
            began: journal.began(),
        };
        journal.trace = Trace::begin(beginning, request);
        journal
    }

    /// Admits the request, and notes what admission established.
    pub(super) fn admit(
        &self,
        request: Request<Incoming>,
        journal: &mut Journal,
    ) -> Result<Arrival, Refusal> {
        let peer = self.generation.peer(&self.served.client);
        let id = (
            journal.record.request_id.clone(),
            ms_since_1970(journal.record.time),
        );
        let mut arrival = admit(request, peer, id, &self.served.last_said)?;
        journal.admitted(&mut arrival.x, std::mem::take(&mut arrival.doubts));
        Ok(arrival)
    }

    /// How long the exchange may take because its client or its route says so.
    pub(super) fn deadline(
        &self,
        route: &Route,
        x: &Exchange,
        journal: &Journal,
    ) -> Result<Deadline, Refusal> {
        let header = self.generation.deadline_header.as_ref();
        Deadline::of(&x.request, route.deadline, header, journal.began())
    }

    /// Refuses what the worker should not take on while it is overloaded.
    pub(super) fn take_on(&self, route: &Route) -> Result<TakenOn, Refusal> {
        let limits = &self.generation.plan.overload;
        self.served.worker.pressure.take_on(limits, route.priority)
    }

    /// Asks the plugins who the caller is, and whether the caller may. From here on they can call upstreams.
    pub(super) async fn authorize(
        &self,
        route: &Route,
        deadline: &Deadline,
        x: &mut Exchange,
        journal: &mut Journal,
    ) -> Result<Permit, Refusal> {
        if !route.chain.posts().is_empty() || route.forward.mirror.is_some() {
            let (sender, upstreams) = (self.served.worker.sender(), &self.generation.upstreams);
            x.outbound = Some(Calls::port(sender, upstreams, deadline, x));
        }
        let permit = Permit::obtain(route.door, &route.chain, x).await;
        // Also of a caller that may not.
        journal.record.caller = x.caller.as_ref().map(|caller| caller.id.clone());
        permit
    }
}
