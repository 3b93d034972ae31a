//! The admin listener: probes, metrics, what serves, and what an operator may do to it.
//!
//! `table.rs` is its one list of operations; the router, the roles and the OpenAPI document are made of it. Each
//! subject has a file of its own. Nothing here shows a setting's value or a secret.

mod abilities;
mod answer;
mod body;
mod cache;
mod call;
mod caller;
mod certs;
mod config;
mod console;
mod control;
mod drain;
mod generation;
mod guard;
mod history;
mod listener;
mod live;
mod log_level;
mod metrics;
mod openapi;
mod plugins;
mod probes;
mod refusals;
mod reload;
mod routes;
mod seats;
mod status;
mod table;
mod upstreams;
mod versions;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use portcullis_config::plan::Plan;
use portcullis_proxy::Gate;
use portcullis_proxy::tls::Termination;

pub use self::abilities::{Abilities, limits};
pub use self::control::{Action, ActionError, ActionResult, Control, LogLevel};
pub use self::history::{Became, Change, Entry, History, Standing};
pub use self::status::{RefusedPlugins, StaleFiles, Status};

/// What the operations work with.
pub struct Admin {
    /// There once configuration and plugins are in.
    gate: OnceLock<Arc<Gate>>,
    control: Arc<dyn Control>,
    status: Arc<Status>,
    first: First,
    /// What was refused while somebody followed.
    refusals: Arc<refusals::Feed>,
    router: table::Router,
}

/// What the gateway started with.
pub struct First {
    /// Where this listens: an address of a later gateway.toml needs a restart.
    pub address: SocketAddr,
    pub plan: Arc<Plan>,
    pub tls: Option<Arc<Termination>>,
}

impl Admin {
    pub fn new(first: First, control: Arc<dyn Control>, status: Arc<Status>) -> Arc<Admin> {
        Arc::new(Admin {
            gate: OnceLock::new(),
            control,
            status,
            first,
            refusals: Arc::default(),
            router: table::router(),
        })
    }

    /// From now on there is something to show.
    pub fn opens(&self, gate: Arc<Gate>) {
        // The gateway is loaded once.
        let _ = self.gate.set(gate);
    }

    /// Of the generation that serves.
    fn plan(&self) -> Arc<Plan> {
        let gate = self.gate();
        gate.map_or_else(|| self.first.plan.clone(), |gate| gate.lease().plan.clone())
    }

    fn tls(&self) -> Option<Arc<Termination>> {
        let gate = self.gate();
        gate.map_or_else(
            || self.first.tls.clone(),
            |gate| gate.lease().admin_tls.clone(),
        )
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.get()
    }
}
