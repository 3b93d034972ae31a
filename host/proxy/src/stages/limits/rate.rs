//! A limit over time (`rate_limit`) at its place on a route.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::RETRY_AFTER;
use portcullis_exchange::Exchange;

use super::counts::Counts;
use super::course::{Course, refusal};
use super::headers::{self, Reading};
use super::key;
use super::metrics::Decisions;
use super::outcome::Outcome;
use super::store::{Answer, Ask, Decision, StoreError};
use crate::ground::refusal::{Reason, Refusal};

/// A limit over time at its place on a route.
#[derive(Debug)]
pub(super) struct Rate {
    pub(super) counts: Arc<Counts>,
    pub(super) cost: u32,
    pub(super) policy: HeaderValue,
    pub(super) decisions: Decisions,
}

// === impl Rate ===

impl Rate {
    /// A dry run refuses nobody.
    pub(super) fn check(&self, x: &Exchange) -> Result<(), Refusal> {
        let plan = &self.counts.plan;
        if plan.dry_run {
            return Ok(());
        }
        key::check(&plan.per, x)
    }

    pub(super) async fn admit(
        &self,
        x: &Exchange,
        course: &mut Course<'_>,
    ) -> Result<Outcome, Refusal> {
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
                Err(error) => return self.unanswered(&error, course),
            },
        };
        if plan.headers && !plan.dry_run {
            course
                .limited
                .read(Reading::of_rate(plan, &self.policy, &verdict));
        }
        match verdict.decision {
            Decision::Taken(Duration::ZERO) => {
                self.decisions.count(Outcome::Allowed);
                Ok(Outcome::Allowed)
            }
            Decision::Taken(wait) => {
                course.note(&plan.name, Outcome::Delayed, &self.decisions);
                tokio::time::sleep(wait).await;
                Ok(Outcome::Delayed)
            }
            Decision::Refused(_) if plan.dry_run => {
                course.note(&plan.name, Outcome::WouldRefuse, &self.decisions);
                Ok(Outcome::WouldRefuse)
            }
            Decision::Refused(wait) => {
                course.note(&plan.name, Outcome::Refused, &self.decisions);
                let full = waits && seat.is_none();
                Err(self.refusal(wait.max(verdict.renewal), full))
            }
        }
    }

    /// `full`: it could have waited, had there been a place.
    fn refusal(&self, wait: Duration, full: bool) -> Refusal {
        let plan = &self.counts.plan;
        let mut refusal = refusal(Reason::RateLimited, &plan.name, plan.headers);
        let wait = headers::seconds(wait).max(1);
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(wait));
        if full {
            refusal.because(format!(
                "limit {}, and {} wait already",
                plan.name, plan.max_waiting
            ))
        } else {
            refusal
        }
    }

    /// What is decided when the store decides nothing.
    fn unanswered(&self, error: &StoreError, course: &mut Course<'_>) -> Result<Outcome, Refusal> {
        let plan = &self.counts.plan;
        course.note(&plan.name, Outcome::Unanswered, &self.decisions);
        if plan.fail_open || plan.dry_run {
            Ok(Outcome::Unanswered)
        } else {
            let because = format!("the store of limit {} did not answer: {error}", plan.name);
            Err(Refusal::new(Reason::Unavailable).because(because))
        }
    }
}
