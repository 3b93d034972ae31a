//! What the pages work with: the gateway that serves, and the process around it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use portcullis_config::plan::Plan;
use portcullis_proxy::Gate;
use portcullis_proxy::tls::Termination;

use crate::control::Control;
use crate::refusal_feed::RefusalFeed;
use crate::status::Status;

/// As the pages see it.
pub(crate) struct Gateway {
    /// Set once configuration and plugins are loaded.
    gate: OnceLock<Arc<Gate>>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) status: Arc<Status>,
    pub(crate) first: First,
    pub(crate) refusals: Arc<RefusalFeed>,
}

/// What the gateway started with.
pub struct First {
    /// Where this listens: an address of a later gateway.toml needs a restart.
    pub address: SocketAddr,
    pub plan: Arc<Plan>,
    pub tls: Option<Arc<Termination>>,
}

impl Gateway {
    pub(crate) fn new(first: First, control: Arc<dyn Control>, status: Arc<Status>) -> Gateway {
        Gateway {
            gate: OnceLock::new(),
            control,
            status,
            first,
            refusals: Arc::default(),
        }
    }

    /// From now on there is something to show.
    pub(crate) fn opens(&self, gate: Arc<Gate>) {
        // The gateway is loaded once.
        let _ = self.gate.set(gate);
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.get()
    }

    /// Of the generation that serves.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        let gate = self.gate();
        gate.map_or_else(|| self.first.plan.clone(), |gate| gate.lease().plan.clone())
    }

    /// Of the listener, in the generation that serves.
    pub(crate) fn tls(&self) -> Option<Arc<Termination>> {
        let gate = self.gate();
        gate.map_or_else(
            || self.first.tls.clone(),
            |gate| gate.lease().admin_tls.clone(),
        )
    }
}
