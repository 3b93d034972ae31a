//! What each serving thread has of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::gate::Gate;
use crate::stages::overload::Pressure;
use crate::upstreams::send::Sender;

/// One serving thread's view.
#[derive(Debug)]
pub struct Worker {
    pub index: usize,
    pub gate: Arc<Gate>,
    pub(crate) pressure: Arc<Pressure>,
    /// True once the gateway is shutting down.
    pub draining: watch::Receiver<bool>,
    /// First half of the request ids made here: random, so that ids of two workers or processes never meet.
    origin: u64,
    made: AtomicU64,
}

impl Worker {
    pub fn new(index: usize, gate: Arc<Gate>, draining: watch::Receiver<bool>) -> Worker {
        Worker {
            index,
            pressure: Arc::new(Pressure::new(
                index,
                &gate.metrics.overload,
                gate.metrics.exchanges.in_flight.clone(),
                gate.memory.clone(),
            )),
            gate,
            draining,
            origin: fastrand::u64(..),
            made: AtomicU64::new(0),
        }
    }

    /// How this worker sends.
    pub(crate) fn sender(&self) -> Sender {
        Sender {
            worker: self.index,
            rehearses: self.gate.rehearses,
        }
    }

    /// The id that a trusted peer gave, or a new one: 32 hexadecimal digits.
    pub fn request_id(&self, given: Option<&str>) -> Arc<str> {
        match given {
            Some(id) => id.into(),
            None => format!(
                "{:016x}{:016x}",
                self.origin,
                self.made.fetch_add(1, Ordering::Relaxed)
            )
            .into(),
        }
    }
}
