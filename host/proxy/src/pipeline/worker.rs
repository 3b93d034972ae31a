//! What each serving thread has of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::gate::Gate;
use crate::observe::watch::Watch;
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
    /// What requests without a body have in common.
    pub(crate) no_body: Arc<Watch>,
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
            no_body: Arc::new(Watch::over()),
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
            None => {
                let made = self.made.fetch_add(1, Ordering::Relaxed);
                let id = u128::from(self.origin) << 64 | u128::from(made);
                let mut digits = [0; 32];
                // Room for all of them.
                let _ = hex::encode_to_slice(id.to_be_bytes(), &mut digits);
                std::str::from_utf8(&digits).unwrap_or_default().into()
            }
        }
    }
}
