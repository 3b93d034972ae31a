//! What an exchange has at hand on its whole way.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use portcullis_exchange::Exchange;

use super::generation::Generation;
use super::route::Route;
use super::worker::Worker;
use crate::ground::deadline::Deadline;
use crate::ground::refusal::Refusal;
use crate::observe::journal::Journal;
use crate::observe::trace::{Beginning, Trace};
use crate::stages::admit::{Arrival, admit};
use crate::stages::calls::Calls;
use crate::stages::forwarded;
use crate::stages::overload::TakenOn;
use crate::stages::permit::Permit;
use crate::wire::guard::Client;

/// Where an exchange goes on: its worker, its connection, and the generation that it leases to its last byte.
pub(crate) struct Course {
    pub(crate) worker: Arc<Worker>,
    pub(crate) client: Arc<Client>,
    pub(crate) generation: Arc<Generation>,
}

impl Course {
    /// Opens the journal, and takes out of the request what is only for the gateway. `faulty`: the bytes of the
    /// request were bad, so that not even its target is believed.
    pub(super) fn open_journal<B>(&self, request: &mut Request<B>, faulty: bool) -> Box<Journal> {
        let gate = &self.worker.gate;
        let peer = self.generation.peer(&self.client);
        let id = forwarded::request_id(request.headers()).filter(|_| peer.is_trusted());
        let mut journal = Box::new(Journal::open(
            gate.sinks.clone(),
            peer.ip,
            request.method().clone(),
            if faulty { "" } else { request.uri().path() },
            self.worker.request_id(id),
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
        let peer = self.generation.peer(&self.client);
        let mut arrival = admit(request, peer, journal.record.request_id.clone())?;
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
        self.worker.pressure.take_on(limits, route.priority)
    }

    /// Asks the plugins who the caller is, and whether the caller may. From here on they can call upstreams.
    pub(super) async fn authorize(
        &self,
        route: &Route,
        deadline: &Deadline,
        x: &mut Exchange,
        journal: &mut Journal,
    ) -> Result<Permit, Refusal> {
        let upstreams = &self.generation.upstreams;
        x.outbound = Some(Calls::port(self.worker.sender(), upstreams, deadline, x));
        let permit = Permit::obtain(route.door, &route.chain, x).await;
        // Also of a caller that may not.
        journal.record.caller = x.caller.as_ref().map(|caller| caller.id.clone());
        permit
    }
}
