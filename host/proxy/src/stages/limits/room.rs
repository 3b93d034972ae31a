//! A limit of requests at the same time (`max_concurrent`) on a route.

use std::sync::Arc;

use http::HeaderValue;
use portcullis_config::plan::ConcurrencyPlan;
use portcullis_exchange::Exchange;

use super::course::{Course, refusal};
use super::crowd::Crowd;
use super::headers::Reading;
use super::key;
use super::metrics::Decisions;
use super::outcome::Outcome;
use crate::ground::refusal::{Reason, Refusal};

/// A limit of requests at the same time on a route.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) plan: ConcurrencyPlan,
    pub(super) crowd: Arc<Crowd>,
    pub(super) policy: HeaderValue,
    pub(super) decisions: Decisions,
}

// === impl Room ===

impl Room {
    /// A dry run refuses nobody.
    pub(super) fn check(&self, x: &Exchange) -> Result<(), Refusal> {
        if self.plan.dry_run {
            return Ok(());
        }
        key::check(&self.plan.per, x)
    }

    pub(super) fn admit(&self, x: &Exchange, course: &mut Course<'_>) -> Result<Outcome, Refusal> {
        let (slot, taken) = self.crowd.enter(x);
        let fits = taken <= self.plan.limit;
        if self.plan.headers && !self.plan.dry_run {
            let left = self.plan.limit.saturating_sub(taken);
            course
                .limited
                .read(Reading::of_room(&self.plan, &self.policy, left));
        }
        let outcome = if fits {
            Outcome::Allowed
        } else {
            Outcome::WouldRefuse
        };
        if fits {
            self.decisions.count(outcome);
        } else if self.plan.dry_run {
            course.note(&self.plan.name, outcome, &self.decisions);
        } else {
            course.note(&self.plan.name, Outcome::Refused, &self.decisions);
            return Err(refusal(
                Reason::TooManyAtOnce,
                &self.plan.name,
                self.plan.headers,
            ));
        }
        course.limited.hold(slot);
        Ok(outcome)
    }
}
