//! What limits leave behind in an exchange.

use std::sync::Arc;

use super::headers::Limited;
use super::metrics::Decisions;
use super::outcome::Outcome;
use crate::ground::refusal::{Reason, Refusal};

/// The name of the last limit that did more than let pass, and what it did, for the log.
pub(super) type Noted = Option<(Arc<str>, &'static str)>;

/// What limits leave behind in an exchange.
pub(super) struct Course<'a> {
    pub(super) limited: &'a mut Limited,
    pub(super) noted: &'a mut Noted,
}

impl Course<'_> {
    /// Counts and notes an outcome.
    pub(super) fn note(&mut self, name: &Arc<str>, outcome: Outcome, decisions: &Decisions) {
        decisions.count(outcome);
        *self.noted = Some((name.clone(), outcome.as_str()));
    }
}

/// Where clients are told of the limit, with the member that the draft gives to problem documents (section 4.1).
pub(super) fn refusal(reason: Reason, name: &str, told: bool) -> Refusal {
    let mut refusal = Refusal::new(reason).because(format!("limit {name}"));
    if told {
        let names = format!("[\"{name}\"]");
        refusal.members.push(("violated-policies".into(), names));
    }
    refusal
}
