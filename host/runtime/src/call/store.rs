//! The store of one instance: its session, its limits, and the clock that stops it.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline};

use crate::engine::code::CodeSource;
use crate::engine::turns::{self, Long};
use crate::engine::{Engine, TICK};
use crate::error::CallError;
use crate::guest::meter::Overrun;
use crate::guest::session::Session;
use crate::spec::Spec;
use crate::state::State;
use crate::text::one_line;

/// Bytes that one value may bring from the guest to the host (wasmtime's default is 128 MiB).
const HOSTCALL_FUEL: usize = 8 * 1024 * 1024;

/// What every store is made from.
#[derive(Clone)]
pub(crate) struct Stores {
    engine: Engine,
    state: Arc<dyn State>,
}

// === impl Stores ===

impl Stores {
    pub(crate) fn new(engine: Engine, state: Arc<dyn State>) -> Stores {
        Stores { engine, state }
    }

    /// Instances that the pool has given out, to all plugins together.
    pub(crate) fn in_use(&self) -> usize {
        self.engine.instances_in_use()
    }

    /// How often machine code came from each source, for all plugins together.
    pub(crate) fn code_sources(&self) -> [(CodeSource, u64); CodeSource::ALL.len()] {
        self.engine.code().counts()
    }

    /// A store for one instance. `time` bounds its configuring, the budget every call after that.
    pub(crate) fn open(&self, spec: &Arc<Spec>, time: Duration) -> Store<Session> {
        let session = Session::new(spec.clone(), self.state.clone());
        let mut store = Store::new(self.engine.wasm(), session);
        store.limiter(|session| session);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store.set_epoch_deadline(1);
        // After each tick a guest yields to the other requests of its worker; past its time it is stopped. Its own
        // ticks are counted and not the clock: a guest must not pay for a machine that is busy elsewhere.
        store.epoch_deadline_callback(move |mut store| {
            let session = store.data_mut();
            let limit = if session.configured {
                session.spec.budget.cpu
            } else {
                time
            };
            session.meter.ticks += 1;
            if TICK * session.meter.ticks > limit {
                return Err(Overrun.into());
            }
            // The first may have ended just after the guest began; only the second was a whole one.
            if session.meter.ticks == 1 {
                return Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(turns::step_aside()),
                ));
            }
            session.meter.long.get_or_insert_with(Long::begin);
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(turns::wait_for_others()),
            ))
        });
        store
    }
}

/// How a call failed that wasmtime ended.
pub(crate) fn call_error(error: &wasmtime::Error, time: Duration) -> CallError {
    if error.is::<PoolConcurrencyLimitError>() {
        CallError::Overloaded
    } else if error.is::<Overrun>() {
        CallError::TimedOut(time)
    } else {
        CallError::Trapped(one_line(error))
    }
}
