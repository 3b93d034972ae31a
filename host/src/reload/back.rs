//! Back to the version of a plugin that served before, and forward again to that of its file.

use std::sync::Arc;

use portcullis_proxy::audit::{Deed, Outcome};
use portcullis_runtime::Digest;

use super::Supervisor;
use crate::load::path;
use crate::version::Undo;

impl Supervisor {
    pub(super) async fn roll_back(
        &mut self,
        plugin: &Arc<str>,
        by: &'static str,
    ) -> Result<String, String> {
        let done = self.back(plugin, by).await;
        let (outcome, detail) = match &done {
            Ok(digest) => {
                self.gate.metrics.rolled_back(plugin);
                (Outcome::Done, format!("plugin {plugin} is {digest:?}"))
            }
            Err(text) => {
                let first = text.lines().next().unwrap_or_default();
                (Outcome::Refused, format!("plugin {plugin}: {first}"))
            }
        };
        self.audit(Deed::Rollback, by, outcome, &detail);
        done.map(|_| format!("{detail}, until its file changes"))
    }

    /// With the configuration that serves, whatever gateway.toml says by now: going back must not wait for its author.
    async fn back(&mut self, plugin: &Arc<str>, by: &'static str) -> Result<Digest, String> {
        let before = self.gate.lease();
        let wanted = before.plan.plugin.get(plugin);
        let file = path(&before.plan, wanted.ok_or("there is no such plugin")?);
        let holds = self.loader.holds(&file);
        let back = self.loader.shelf.roll_back(plugin, &file, holds);
        let (digest, undo) = back.ok_or("no version of it that served before is kept")?;
        let done = self.serve(before.plan.clone(), by, Some(plugin)).await;
        let serving = self.gate.lease();
        if serving.plugins.get(plugin).map(|p| p.digest()) == Some(digest) {
            return Ok(digest);
        }
        Err(self.undone(plugin, undo, done))
    }

    pub(super) async fn unpin(
        &mut self,
        plugin: &Arc<str>,
        by: &'static str,
    ) -> Result<String, String> {
        let plan = self.gate.lease().plan.clone();
        let undo = self.loader.shelf.unpin(plugin).ok_or("it is not pinned")?;
        let done = self.serve(plan, by, None).await;
        if done.is_ok() && !self.status.refused().contains_key(plugin) {
            return done;
        }
        Err(self.undone(plugin, undo, done))
    }

    /// Puts things back as they were; says why.
    fn undone(&mut self, plugin: &str, undo: Undo, done: Result<String, String>) -> String {
        self.loader.shelf.put_back(undo);
        self.status.history.stand(self.loader.shelf.standings());
        let refused = self.status.refused().remove(plugin);
        let changed = || "its file changed at the same moment, and serves".to_owned();
        done.err().or(refused).unwrap_or_else(changed)
    }
}
