//! The admin listener: probes, metrics, what serves, and what an operator may do to it.
//!
//! `table.rs` is its one list of operations; the router, the roles and the OpenAPI document are made of it. Each
//! subject has a file of its own. Nothing here shows a setting's value or a secret.

mod answer;
mod body;
mod cache;
mod call;
mod certs;
mod drain;
mod generation;
mod guard;
mod listener;
mod log_level;
mod metrics;
mod openapi;
mod plugins;
mod probes;
mod reload;
mod routes;
mod seats;
mod table;
mod upstreams;

use std::sync::{Arc, OnceLock};

use portcullis_proxy::Gate;
use tokio::sync::mpsc;

use crate::drain::Drain;
use crate::log::Level;
use crate::reload::{Request as ReloadRequest, Status};

/// What the operations work with.
pub(crate) struct Admin {
    /// There once configuration and plugins are in.
    gate: OnceLock<Arc<Gate>>,
    pub(crate) status: Arc<Status>,
    pub(crate) supervisor: mpsc::Sender<ReloadRequest>,
    pub(crate) drain: Arc<Drain>,
    pub(crate) level: Arc<Level>,
    router: table::Router,
}

impl Admin {
    pub(crate) fn new(
        status: Arc<Status>,
        supervisor: mpsc::Sender<ReloadRequest>,
        drain: Arc<Drain>,
        level: Arc<Level>,
    ) -> Arc<Admin> {
        Arc::new(Admin {
            gate: OnceLock::new(),
            status,
            supervisor,
            drain,
            level,
            router: table::router(),
        })
    }

    /// From now on there is something to show.
    pub(crate) fn opens(&self, gate: Arc<Gate>) {
        // The gateway is loaded once.
        let _ = self.gate.set(gate);
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.get()
    }
}
