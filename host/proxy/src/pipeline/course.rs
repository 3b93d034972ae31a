//! What an exchange has at hand on its whole way.

use std::sync::Arc;

use http::Request;

use super::generation::Generation;
use super::worker::Worker;
use crate::observe::journal::Journal;
use crate::observe::trace::{Beginning, Trace};
use crate::stages::forwarded;
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
}
