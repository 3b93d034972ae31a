//! Limits: how much of whom in which time (`rate_limit`), and how much at once (`max_concurrent`).
//!
//! Those that need no caller are asked before authentication, so that guessing credentials is limited too; the others
//! after authorization, so that nobody spends another's allowance by naming them. This module owns the counts; it must
//! not know plugins, upstreams or bodies.

mod counts;
mod course;
mod crowd;
mod headers;
mod key;
mod metrics;
mod outcome;
mod rate;
mod room;
mod rule;
pub mod store;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::plan::{Plan, RoutePlan};
use portcullis_exchange::{Exchange, Open, What};

use self::counts::Counts;
use self::course::{Course, Noted};
use self::crowd::Crowd;
use self::outcome::Outcome;
use self::rate::Rate;
use self::room::Room;
use crate::ground::refusal::Refusal;
use crate::observe::trace;

pub use self::counts::counts_in_memory;
pub(crate) use self::headers::Limited;
pub(crate) use self::metrics::LimitMetrics;

/// All counts of a generation: what its limits are may change from one to the next, what was counted stays.
#[derive(Debug, Default)]
pub struct Limits {
    rates: BTreeMap<Place, Arc<Counts>>,
    crowds: BTreeMap<Place, Arc<Crowd>>,
}

/// Where a limit counts: a route (or [`SHARED`]), and its name there.
type Place = (Arc<str>, Arc<str>);

/// In the place of a route's name, for the limits that routes share.
const SHARED: &str = "*";

/// The limits of one route, resolved.
#[derive(Debug, Default)]
pub struct RouteLimits {
    by_address: Stage,
    by_caller: Stage,
}

/// Limits that are asked together, in order.
#[derive(Debug, Default)]
struct Stage {
    rates: Vec<Rate>,
    crowds: Vec<Room>,
}

/// Evidence that the limits which need no caller were asked.
#[derive(Debug)]
pub(crate) struct WithinAddressLimits(());

/// Evidence that the limits which count callers were asked.
#[derive(Debug)]
pub(crate) struct WithinCallerLimits(());

// === impl Limits ===

impl Limits {
    /// The counts that the routes of a plan need; those of `before` where they count the same.
    pub(crate) fn build(plan: &Plan, before: Option<&Limits>) -> Limits {
        let mut limits = Limits::default();
        for route in &plan.routes {
            for used in &route.rate_limits {
                let place = place(route, used.shared, &used.limit.name);
                let old = before.and_then(|before| before.rates.get(&place));
                let counts = limits.rates.entry(place);
                counts.or_insert_with(|| Arc::new(Counts::new(&used.limit, old)));
            }
            for room in &route.max_concurrent {
                let place = place(route, false, &room.name);
                let old = before.and_then(|before| before.crowds.get(&place));
                let old = old.filter(|old| old.per == room.per).cloned();
                let crowd = old.unwrap_or_else(|| Arc::new(Crowd::new(&room.per)));
                limits.crowds.insert(place, crowd);
            }
        }
        limits
    }

    pub(crate) fn of(&self, route: &RoutePlan, metrics: &LimitMetrics) -> RouteLimits {
        let mut of = RouteLimits::default();
        for used in &route.rate_limits {
            let place = place(route, used.shared, &used.limit.name);
            let Some(counts) = self.rates.get(&place) else {
                continue;
            };
            of.stage(used.limit.per.needs_caller()).rates.push(Rate {
                counts: counts.clone(),
                cost: used.cost,
                policy: headers::policy(&used.limit),
                decisions: metrics.decisions(&route.name, &used.limit.name),
            });
        }
        for room in &route.max_concurrent {
            let Some(crowd) = self.crowds.get(&place(route, false, &room.name)) else {
                continue;
            };
            of.stage(room.per.needs_caller()).crowds.push(Room {
                plan: room.clone(),
                crowd: crowd.clone(),
                policy: headers::policy_of_room(room),
                decisions: metrics.decisions(&route.name, &room.name),
            });
        }
        of
    }
}

fn place(route: &RoutePlan, shared: bool, name: &Arc<str>) -> Place {
    let scope = if shared {
        SHARED.into()
    } else {
        route.name.clone()
    };
    (scope, name.clone())
}

impl RouteLimits {
    /// Asks the limits that need no caller.
    pub(crate) async fn by_address(
        &self,
        x: &Exchange,
        limited: &mut Limited,
        noted: &mut Noted,
    ) -> Result<WithinAddressLimits, Refusal> {
        let stage = &self.by_address;
        stage.ask(What::LimitByAddress, x, limited, noted).await?;
        Ok(WithinAddressLimits(()))
    }

    /// Asks the limits that count callers.
    pub(crate) async fn by_caller(
        &self,
        x: &Exchange,
        limited: &mut Limited,
        noted: &mut Noted,
    ) -> Result<WithinCallerLimits, Refusal> {
        let stage = &self.by_caller;
        stage.ask(What::LimitByCaller, x, limited, noted).await?;
        Ok(WithinCallerLimits(()))
    }

    fn stage(&mut self, needs_caller: bool) -> &mut Stage {
        if needs_caller {
            &mut self.by_caller
        } else {
            &mut self.by_address
        }
    }
}

// === impl Stage ===

impl Stage {
    /// Boxed where there are limits, so that no request of a route without them carries their size.
    async fn ask(
        &self,
        what: What,
        x: &Exchange,
        limited: &mut Limited,
        noted: &mut Noted,
    ) -> Result<(), Refusal> {
        if self.rates.is_empty() && self.crowds.is_empty() {
            return Ok(());
        }
        let mut course = Course { limited, noted };
        Box::pin(self.admit(what, x, &mut course)).await
    }

    async fn admit(
        &self,
        what: What,
        x: &Exchange,
        course: &mut Course<'_>,
    ) -> Result<(), Refusal> {
        for rate in &self.rates {
            rate.check(x)?;
            let step = trace::step(x, what, &rate.counts.plan.name);
            ended(step, rate.admit(x, course).await)?;
        }
        for room in &self.crowds {
            room.check(x)?;
            let step = trace::step(x, what, &room.plan.name);
            ended(step, room.admit(x, course))?;
        }
        Ok(())
    }
}

fn ended(step: Option<Open>, answer: Result<Outcome, Refusal>) -> Result<(), Refusal> {
    let outcome = answer.as_ref().map_or(Outcome::Refused, |outcome| *outcome);
    trace::ended(step, outcome.as_str());
    answer.map(drop)
}

#[cfg(test)]
mod tests;
