//! Reload: one supervisor task that builds the next generation while the old one serves, whatever the cause.

mod back;
mod changes;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_admin::{Action, Became, Entry, Status};
use portcullis_config::plan::Plan;
use portcullis_proxy::Gate;
use portcullis_proxy::audit::{Deed, Outcome};
use tokio::sync::{mpsc, oneshot};

use self::changes::{restart_needed, same_settings, swaps};
use crate::load::{Loaded, Loader};
use crate::version::Version;

/// An action for the supervisor, and its cause.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) cause: &'static str,
    pub(crate) action: Action,
    /// Receives the result.
    pub(crate) answer: Option<oneshot::Sender<Result<String, String>>>,
}

/// The cause of a reload without a request.
pub(crate) const FILE_CHANGE: &str = "file change";

/// Owns the loader; the only one who swaps generations.
pub(crate) struct Supervisor {
    pub(crate) loader: Loader,
    pub(crate) gate: Arc<Gate>,
    /// None: the plan came from the command line and never changes.
    pub(crate) config: Option<PathBuf>,
    pub(crate) status: Arc<Status>,
}

impl Request {
    /// The sender may have stopped waiting.
    fn reply(self, done: Result<String, String>) {
        if let Some(answer) = self.answer {
            let _ = answer.send(done);
        }
    }
}

impl Supervisor {
    /// Serves requests until every sender is gone. Reloads that wait are one reload.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.recv().await {
            let mut waiting = vec![first];
            while let Ok(more) = requests.try_recv() {
                waiting.push(more);
            }
            let (reloads, others): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|request| request.action == Action::Reload);
            if let Some(first) = reloads.first() {
                let done = self.reload(first.cause).await;
                for request in reloads {
                    request.reply(done.clone());
                }
            }
            for request in others {
                let done = match &request.action {
                    Action::Reload => continue,
                    Action::RollBack(plugin) => self.roll_back(plugin, request.cause).await,
                    Action::Unpin(plugin) => self.unpin(plugin, request.cause).await,
                };
                request.reply(done);
            }
        }
    }

    /// Notes what serves first.
    pub(crate) fn begins(&mut self, versions: BTreeMap<Arc<str>, Version>) {
        let first = self.gate.lease();
        for (name, version) in versions {
            let size = version.compiled.size() as u64;
            let entry = Entry::new(Became::Served, "start", first.number);
            let history = &self.status.history;
            history.note(&name, entry.of(Some(version.digest()), Some(size)));
            self.loader.shelf.serves(&name, version);
        }
        self.status.history.stand(self.loader.shelf.standings());
    }

    async fn reload(&mut self, cause: &'static str) -> Result<String, String> {
        let before = self.gate.lease();
        let done = match self.plan(&before.plan) {
            Ok(plan) => self.serve(plan, cause, None).await,
            Err(text) => Err(text),
        };
        self.status.set_config_refused(done.is_err());
        let outcome = match &done {
            Err(text) => {
                tracing::error!(cause, "reload refused, nothing was changed:\n{text}");
                Outcome::Refused
            }
            Ok(_) if self.gate.lease().number == before.number => Outcome::Unchanged,
            Ok(_) => Outcome::Done,
        };
        self.gate.metrics.reloaded(outcome);
        // A file that was touched and is as before is no event.
        if outcome != Outcome::Unchanged || cause != FILE_CHANGE {
            let (Ok(text) | Err(text)) = &done;
            let line = text.lines().next().unwrap_or_default();
            self.audit(Deed::Reload, cause, outcome, line);
        }
        done
    }

    /// Builds the next generation and swaps it in, if it is another. `back` is a plugin that is rolled back by it.
    async fn serve(
        &mut self,
        plan: Arc<Plan>,
        cause: &'static str,
        back: Option<&Arc<str>>,
    ) -> Result<String, String> {
        let before = self.gate.lease();
        let metrics = self.gate.metrics.clone();
        let loaded = self.loader.load(plan, &metrics, Some(&before)).await;
        let Loaded {
            generation: next,
            versions,
            refused,
            stale,
            ..
        } = loaded.map_err(|report| report.to_string())?;
        let bad = refused.keys().cloned().collect();
        metrics.plugins(next.plugins.keys(), &bad);
        metrics.stale(stale.len());
        self.report_refused(refused, cause);
        self.report_stale(stale);
        let swaps = swaps(&before.plugins, &next.plugins);
        let same_keys = before.has_keys_of(&next);
        if swaps.is_empty() && same_keys && Arc::ptr_eq(&before.plan, &next.plan) {
            self.keep(versions);
            return Ok(format!(
                "nothing changed; generation {} serves",
                before.number
            ));
        }
        next.discover().await;
        for swap in &swaps {
            let became = if back == Some(&swap.plugin) {
                Became::RolledBack
            } else {
                Became::Served
            };
            self.report_swap(swap, &next, versions.get(&swap.plugin), (became, cause));
        }
        if !same_keys {
            tracing::info!(cause, "new handshakes see what the files of TLS say now");
        }
        restart_needed(&before.plan, &next.plan);
        let text = format!("generation {} serves", next.number);
        tracing::info!(cause, "{text}");
        self.gate.swap(next);
        self.keep(versions);
        Ok(text)
    }

    /// Keeps what serves now, and what served until now.
    fn keep(&mut self, versions: BTreeMap<Arc<str>, Version>) {
        for (name, version) in versions {
            self.loader.shelf.serves(&name, version);
        }
        let plugins = &self.gate.lease().plugins;
        self.loader.shelf.keep(|name| plugins.contains_key(name));
        self.status.history.stand(self.loader.shelf.standings());
    }

    fn plan(&self, before: &Arc<Plan>) -> Result<Arc<Plan>, String> {
        let Some(path) = &self.config else {
            return Ok(before.clone());
        };
        let plan = portcullis_config::read(path).map_err(|report| report.to_string())?;
        // The same text with the same secrets is the same plan: nothing to swap but plugins.
        let same = plan.source.text == before.source.text && same_settings(&plan, before);
        Ok(if same { before.clone() } else { Arc::new(plan) })
    }
}
