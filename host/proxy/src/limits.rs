//! Limits: how much of whom in which time (`rate_limit`), and how much at once (`max_concurrent`).
//!
//! Those that need no caller are asked before authentication, so that guessing credentials is limited too; the others
//! after authorization, so that nobody spends another's allowance by naming them. This module owns the counts; it must
//! not know plugins, upstreams or bodies.

mod crowd;
mod key;
mod metrics;
mod rule;
pub mod store;
mod table;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::RETRY_AFTER;
use portcullis_config::plan::{ConcurrencyPlan, LimitPlan, Plan, RoutePlan, RulePlan};
use portcullis_runtime::{Exchange, Open, What};
use tokio::sync::Semaphore;

use self::crowd::Crowd;
use self::key::Secret;
use self::metrics::Decisions;
use self::rule::{Gcra, Quota, Window};
use self::store::{Answer, Ask, Decision, Store, StoreError};
use self::table::Table;
use self::told::Reading;
use crate::generation::Route;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::refusal::{Reason, Refusal};
use crate::trace;

pub(crate) use self::metrics::LimitMetrics;
pub(crate) use self::told::{Limited, Outcome};

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

/// What one limit over time has counted. Lives on over reloads while what is counted stays the same.
#[derive(Debug)]
struct Counts {
    plan: Arc<LimitPlan>,
    secret: Secret,
    store: Arc<dyn Store>,
    waiting: Arc<Semaphore>,
}

/// A limit over time at its place on a route.
#[derive(Debug)]
struct Rate {
    counts: Arc<Counts>,
    cost: u32,
    policy: HeaderValue,
    decisions: Decisions,
}

/// A limit of requests at the same time on a route.
#[derive(Debug)]
struct Room {
    plan: ConcurrencyPlan,
    crowd: Arc<Crowd>,
    policy: HeaderValue,
    decisions: Decisions,
}

/// Asks the limits that need no caller.
pub(crate) async fn by_address(
    route: &Route,
    x: &Exchange,
    journal: &mut Journal,
) -> Result<(), Refusal> {
    let stage = &route.limits.by_address;
    stage
        .admit(What::LimitByAddress, x, &mut journal.limited)
        .await
}

/// Asks the limits that count callers.
pub(crate) async fn by_caller(
    route: &Route,
    x: &Exchange,
    journal: &mut Journal,
) -> Result<(), Refusal> {
    let stage = &route.limits.by_caller;
    stage
        .admit(What::LimitByCaller, x, &mut journal.limited)
        .await
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

    pub(crate) fn of(&self, route: &RoutePlan, metrics: &Metrics) -> RouteLimits {
        let mut of = RouteLimits::default();
        for used in &route.rate_limits {
            let place = place(route, used.shared, &used.limit.name);
            let Some(counts) = self.rates.get(&place) else {
                continue;
            };
            of.stage(used.limit.per.needs_caller()).rates.push(Rate {
                counts: counts.clone(),
                cost: used.cost,
                policy: told::policy(&used.limit),
                decisions: metrics.limits.decisions(&route.name, &used.limit.name),
            });
        }
        for room in &route.max_concurrent {
            let Some(crowd) = self.crowds.get(&place(route, false, &room.name)) else {
                continue;
            };
            of.stage(room.per.needs_caller()).crowds.push(Room {
                plan: room.clone(),
                crowd: crowd.clone(),
                policy: told::policy_of_room(room),
                decisions: metrics.limits.decisions(&route.name, &room.name),
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
    fn stage(&mut self, needs_caller: bool) -> &mut Stage {
        match needs_caller {
            true => &mut self.by_caller,
            false => &mut self.by_address,
        }
    }
}

// === impl Counts ===

impl Counts {
    /// Goes on with what `old` counted, if it counted the same.
    fn new(plan: &Arc<LimitPlan>, old: Option<&Arc<Counts>>) -> Counts {
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

// === impl Stage ===

impl Stage {
    async fn admit(&self, what: What, x: &Exchange, limited: &mut Limited) -> Result<(), Refusal> {
        for rate in &self.rates {
            rate.check(x)?;
            let step = trace::step(x, what, &rate.counts.plan.name);
            ended(step, rate.admit(x, limited).await)?;
        }
        for room in &self.crowds {
            room.check(x)?;
            let step = trace::step(x, what, &room.plan.name);
            ended(step, room.admit(x, limited))?;
        }
        Ok(())
    }
}

fn ended(step: Option<Open>, answer: Result<Outcome, Refusal>) -> Result<(), Refusal> {
    let outcome = answer.as_ref().map_or(Outcome::Refused, |outcome| *outcome);
    trace::ended(step, outcome.as_str());
    answer.map(drop)
}

// === impl Rate ===

impl Rate {
    /// A dry run refuses nobody.
    fn check(&self, x: &Exchange) -> Result<(), Refusal> {
        let plan = &self.counts.plan;
        match plan.dry_run {
            true => Ok(()),
            false => key::check(&plan.per, x),
        }
    }

    async fn admit(&self, x: &Exchange, limited: &mut Limited) -> Result<Outcome, Refusal> {
        let Counts {
            plan,
            secret,
            store,
            waiting,
        } = &*self.counts;
        // Whoever might have to wait first has a place to do so.
        let waits = !plan.throttle.is_zero() && !plan.dry_run;
        let seat = waits.then(|| waiting.try_acquire().ok()).flatten();
        let ask = Ask {
            cost: self.cost,
            patience: seat.as_ref().map_or(Duration::ZERO, |_| plan.throttle),
            now: Instant::now(),
            unix_ms: x.now_ms,
        };
        let verdict = match store.take(secret.key(&plan.per, x), ask) {
            Answer::Now(verdict) => verdict,
            Answer::Later(answer) => match answer.await {
                Ok(verdict) => verdict,
                Err(error) => return self.unanswered(&error, limited),
            },
        };
        if plan.headers && !plan.dry_run {
            limited.read(Reading::of_rate(plan, &self.policy, &verdict));
        }
        match verdict.decision {
            Decision::Taken(Duration::ZERO) => {
                self.decisions.count(Outcome::Allowed);
                Ok(Outcome::Allowed)
            }
            Decision::Taken(wait) => {
                limited.note(&plan.name, Outcome::Delayed, &self.decisions);
                tokio::time::sleep(wait).await;
                Ok(Outcome::Delayed)
            }
            Decision::Refused(_) if plan.dry_run => {
                limited.note(&plan.name, Outcome::WouldRefuse, &self.decisions);
                Ok(Outcome::WouldRefuse)
            }
            Decision::Refused(wait) => {
                limited.note(&plan.name, Outcome::Refused, &self.decisions);
                let full = waits && seat.is_none();
                Err(self.refusal(wait.max(verdict.renewal), full))
            }
        }
    }

    /// `full`: it could have waited, had there been a place.
    fn refusal(&self, wait: Duration, full: bool) -> Refusal {
        let plan = &self.counts.plan;
        let mut refusal = refusal(Reason::RateLimited, &plan.name, plan.headers);
        let wait = told::seconds(wait).max(1);
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        match full {
            true => refusal.because(format!(
                "limit {}, and {} wait already",
                plan.name, plan.max_waiting
            )),
            false => refusal,
        }
    }

    /// What is decided when the store decides nothing.
    fn unanswered(&self, error: &StoreError, limited: &mut Limited) -> Result<Outcome, Refusal> {
        let plan = &self.counts.plan;
        limited.note(&plan.name, Outcome::Unanswered, &self.decisions);
        match plan.fail_open || plan.dry_run {
            true => Ok(Outcome::Unanswered),
            false => {
                let because = format!("the store of limit {} did not answer: {error}", plan.name);
                Err(Refusal::new(Reason::Unavailable).because(because))
            }
        }
    }
}

// === impl Room ===

impl Room {
    fn check(&self, x: &Exchange) -> Result<(), Refusal> {
        match self.plan.dry_run {
            true => Ok(()),
            false => key::check(&self.plan.per, x),
        }
    }

    fn admit(&self, x: &Exchange, limited: &mut Limited) -> Result<Outcome, Refusal> {
        let (slot, taken) = self.crowd.enter(x);
        let fits = taken <= self.plan.limit;
        if self.plan.headers && !self.plan.dry_run {
            let left = self.plan.limit.saturating_sub(taken);
            limited.read(Reading::of_room(&self.plan, &self.policy, left));
        }
        let outcome = match fits {
            true => Outcome::Allowed,
            false => Outcome::WouldRefuse,
        };
        if fits {
            self.decisions.count(outcome);
        } else if self.plan.dry_run {
            limited.note(&self.plan.name, outcome, &self.decisions);
        } else {
            limited.note(&self.plan.name, Outcome::Refused, &self.decisions);
            return Err(refusal(
                Reason::TooManyAtOnce,
                &self.plan.name,
                self.plan.headers,
            ));
        }
        limited.hold(slot);
        Ok(outcome)
    }
}

/// Where clients are told of the limit, with the member that the draft gives to problem documents (section 4.1).
fn refusal(reason: Reason, name: &str, told: bool) -> Refusal {
    let mut refusal = Refusal::new(reason).because(format!("limit {name}"));
    if told {
        let names = format!("[\"{name}\"]");
        refusal.members.push(("violated-policies".into(), names));
    }
    refusal
}

#[cfg(test)]
mod tests;
