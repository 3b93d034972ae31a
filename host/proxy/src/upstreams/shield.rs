//! What keeps one failure from becoming everyone's: the retry budget, circuit breaker and bulkhead of an upstream, and the
//! bulkhead of a route.
//!
//! All of it is decided with atomics on the request's way, and lives on over reloads while its settings stay.

mod breaker;
mod budget;
mod bulkhead;
mod metrics;
mod window;

use std::sync::Arc;
use std::time::Instant;

use portcullis_config::plan::{UpstreamGuards, UpstreamPlan};

use crate::ground::deadline::Deadline;
use crate::ground::refusal::{Reason, Refusal};

pub(crate) use self::breaker::{Breaker, Pass};
pub(crate) use self::budget::Budget;
pub(crate) use self::bulkhead::{Bulkhead, Place};
pub(crate) use self::metrics::{ShieldMetrics, UpstreamCounters};

/// What guards one upstream.
#[derive(Debug)]
pub struct Shield {
    plan: UpstreamGuards,
    pub(crate) budget: Arc<Budget>,
    pub(crate) breaker: Option<Arc<Breaker>>,
    pub(crate) bulkhead: Option<Arc<Bulkhead>>,
    pub(crate) counters: UpstreamCounters,
}

impl Shield {
    /// Takes over from `before` what is to be as it was, with all that it has counted.
    pub(crate) fn new(
        upstream: &UpstreamPlan,
        metrics: &ShieldMetrics,
        before: Option<&Shield>,
    ) -> Shield {
        let plan = &upstream.guards;
        let counters = metrics.upstream(&upstream.name);
        let same_budget = before.filter(|old| old.plan.budget == plan.budget);
        let same_breaker = before.filter(|old| old.plan.breaker == plan.breaker);
        let new_breaker = |plan| Breaker::new(plan, upstream.name.clone(), counters.clone());
        Shield {
            budget: same_budget.map_or_else(
                || Arc::new(Budget::new(plan.budget)),
                |old| old.budget.clone(),
            ),
            breaker: same_breaker.map_or_else(
                || plan.breaker.map(|plan| Arc::new(new_breaker(plan))),
                |old| old.breaker.clone(),
            ),
            bulkhead: Bulkhead::next(plan.bulkhead, before.and_then(|old| old.bulkhead.as_ref())),
            counters,
            plan: plan.clone(),
        }
    }

    /// A place among the exchanges at this upstream; None where they are not limited.
    pub(crate) async fn enter(&self, until: Instant) -> Result<Option<Place>, Refusal> {
        let Some(bulkhead) = &self.bulkhead else {
            return Ok(None);
        };
        let entered = Box::pin(place(bulkhead, until, Reason::UpstreamBusy)).await;
        entered.map(Some)
    }

    /// Leave for one try from the circuit breaker.
    pub(crate) fn admit(&self) -> Result<Pass<'_>, Refusal> {
        let Some(breaker) = &self.breaker else {
            return Ok(Pass::free());
        };
        breaker.admit().map_err(|wait| {
            Refusal::new(Reason::CircuitOpen)
                .because("the circuit breaker is open")
                .retry_after(wait)
        })
    }
}

/// Evidence that there is room for an exchange on its route, with its place where a bulkhead counts it.
#[derive(Debug)]
pub(crate) struct Room(Option<Place>);

impl Room {
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.0.take()
    }
}

/// Waits for room on a route with this bulkhead, as long as its patience and the deadline last.
pub(crate) async fn enter_route(
    bulkhead: Option<&Bulkhead>,
    deadline: &Deadline,
) -> Result<Room, Refusal> {
    let Some(bulkhead) = bulkhead else {
        return Ok(Room(None));
    };
    let until = deadline.or(Instant::now() + bulkhead.patience());
    let entered = Box::pin(place(bulkhead, until, Reason::RouteBusy)).await;
    entered.map(|place| Room(Some(place)))
}

async fn place(bulkhead: &Bulkhead, until: Instant, reason: Reason) -> Result<Place, Refusal> {
    let entered = bulkhead.enter(until).await;
    entered.map_err(|text| {
        let refusal = Refusal::new(reason).because(text);
        refusal.retry_after(bulkhead.patience())
    })
}
