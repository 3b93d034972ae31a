//! What the log, the audit log, the metrics and the history get to know of a load.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_admin::{Became, Entry, StaleFiles};
use portcullis_proxy::Generation;
use portcullis_proxy::audit::{Audit, Deed, Outcome};

use super::Supervisor;
use super::changes::Swap;
use crate::load::Rejected;
use crate::traits::{Traits, differences};
use crate::version::Version;

impl Supervisor {
    /// A plugin that serves from the generation `next` on, or retires with the one before it.
    pub(super) fn report_swap(
        &self,
        swap: &Swap,
        next: &Generation,
        version: Option<&Version>,
        (became, cause): (Became, &'static str),
    ) {
        let Swap { plugin, line } = swap;
        tracing::info!(cause, "{line}");
        if became == Became::Served {
            self.gate.metrics.swapped(plugin, Outcome::Done);
            self.audit(Deed::Swap, cause, Outcome::Done, line);
        }
        if let Some((new, version)) = next.plugins.get(plugin).zip(version) {
            let now = Traits::of(new, version);
            let entry = Entry::new(became, cause, next.number)
                .of(Some(new.digest()), Some(version.compiled.size() as u64))
                .differing(differences(self.traits(plugin).as_ref(), Some(&now)));
            self.status.history.note(plugin, entry);
        }
    }

    /// Plugins whose new version does not serve. One that was reported before is not reported again.
    pub(super) fn report_refused(
        &self,
        refused: BTreeMap<Arc<str>, Rejected>,
        cause: &'static str,
    ) {
        let known = self.status.refused();
        let serving = self.gate.lease();
        for (name, rejected) in &refused {
            let text = &rejected.text;
            if known.get(name) == Some(text) {
                continue;
            }
            self.gate.metrics.swapped(name, Outcome::Refused);
            let detail = format!("plugin {name} serves on as it was: {text}");
            self.audit(Deed::Swap, cause, Outcome::Refused, &detail);
            tracing::error!(plugin = %name, "swap refused, the last good version serves on: {text}");
            let before = self.traits(name);
            let entry = Entry::new(Became::Refused, cause, serving.number)
                .of(rejected.digest, rejected.size)
                .because(text)
                .differing(differences(before.as_ref(), rejected.traits.as_ref()));
            self.status.history.note(name, entry);
        }
        let texts = refused.into_iter().map(|(name, it)| (name, it.text));
        self.status.set_refused(texts.collect());
    }

    pub(super) fn report_stale(&self, stale: StaleFiles) {
        let known = self.status.stale();
        for (file, text) in &stale {
            if known.get(file) != Some(text) {
                tracing::error!(%file, "the last good content serves on: {text}");
            }
        }
        self.status.set_stale(stale);
    }

    pub(super) fn audit(&self, what: Deed, by: &str, outcome: Outcome, detail: &str) {
        let audit = Audit {
            what,
            by,
            outcome,
            detail,
        };
        audit.note(&self.gate.metrics);
    }

    /// Of the version that serves.
    fn traits(&self, plugin: &str) -> Option<Traits> {
        let serving = self.gate.lease();
        let version = self.loader.shelf.serving(plugin)?;
        Some(Traits::of(serving.plugins.get(plugin)?, version))
    }
}
