//! What one limit over time has counted.

use std::sync::Arc;
use std::time::Instant;

use portcullis_config::plan::{LimitPlan, RulePlan};
use tokio::sync::Semaphore;

use super::key::Secret;
use super::rule::{Gcra, Quota, Window};
use super::store::Store;
use super::table::Table;

/// What one limit over time has counted. Lives on over reloads while what is counted stays the same.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) plan: Arc<LimitPlan>,
    pub(super) secret: Secret,
    pub(super) store: Arc<dyn Store>,
    pub(super) waiting: Arc<Semaphore>,
}

/// The store in memory for a limit.
pub fn counts_in_memory(plan: &LimitPlan, born: Instant) -> Arc<dyn Store> {
    /// Limits that fit a slot of one byte have finer slots in the same room.
    const FINE: u32 = u8::MAX as u32;
    let keys = plan.max_keys;
    match plan.rule {
        RulePlan::Gcra { limit, per, burst } => {
            Arc::new(Table::new(Gcra::new(limit, per, burst), keys, born))
        }
        RulePlan::SlidingWindow { limit, per } if limit <= FINE => {
            Arc::new(Table::new(Window::<u8, 32>::new(limit, per), keys, born))
        }
        RulePlan::SlidingWindow { limit, per } => {
            Arc::new(Table::new(Window::<u32, 8>::new(limit, per), keys, born))
        }
        RulePlan::Quota { limit, period } => {
            Arc::new(Table::new(Quota::new(limit, period), keys, born))
        }
    }
}

// === impl Counts ===

impl Counts {
    /// Goes on with what `old` counted, if it counted the same.
    pub(super) fn new(plan: &Arc<LimitPlan>, old: Option<&Arc<Counts>>) -> Counts {
        let same = |old: &&Arc<Counts>| {
            old.plan.rule == plan.rule
                && old.plan.per == plan.per
                && old.plan.max_keys == plan.max_keys
        };
        let (secret, store) = match old.filter(same) {
            Some(old) => (old.secret, old.store.clone()),
            None => (Secret::random(), counts_in_memory(plan, Instant::now())),
        };
        Counts {
            plan: plan.clone(),
            secret,
            store,
            waiting: Arc::new(Semaphore::new(plan.max_waiting)),
        }
    }
}
