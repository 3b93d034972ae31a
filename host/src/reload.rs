//! Reload: one supervisor task that builds the next generation beside the old, whoever asked for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use portcullis_config::plan::{Log, Plan};
use portcullis_proxy::Gate;
use portcullis_proxy::audit::{Audit, Deed, Outcome};
use portcullis_runtime::Plugin;
use tokio::sync::{mpsc, oneshot};

use crate::Failure;
use crate::client::AdminOptions;
use crate::load::{Errors, Loader};

/// Who wants a reload, and why.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) cause: &'static str,
    /// Told how it went.
    pub(crate) answer: Option<oneshot::Sender<Result<String, String>>>,
}

/// What the admin listener shows of reloads. Never locked on the request's way.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) refused: Mutex<Errors>,
    /// Files of TLS that are bad, and why.
    pub(crate) stale: Mutex<Errors>,
    pub(crate) config_error: Mutex<Option<String>>,
}

/// The cause of a reload that nobody asked for.
pub(crate) const FILE_CHANGE: &str = "file change";

/// Owns the loader; the only one who swaps generations.
pub(crate) struct Supervisor {
    pub(crate) loader: Loader,
    pub(crate) gate: Arc<Gate>,
    /// None: the plan came from the command line and never changes.
    pub(crate) config: Option<PathBuf>,
    pub(crate) status: Arc<Status>,
}

impl Supervisor {
    /// Serves requests until every sender is gone. Several that wait are answered by one reload.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.recv().await {
            let mut waiting = vec![first];
            while let Ok(more) = requests.try_recv() {
                waiting.push(more);
            }
            let cause = waiting[0].cause;
            let done = self.reload(cause).await;
            for request in waiting {
                if let Some(answer) = request.answer {
                    // Whoever asked may have gone.
                    let _ = answer.send(done.clone());
                }
            }
        }
    }

    async fn reload(&mut self, cause: &str) -> Result<String, String> {
        let before = self.gate.lease().number;
        let done = self.next(cause).await;
        let outcome = match &done {
            Err(text) => {
                tracing::error!(cause, "reload refused, nothing was changed:\n{text}");
                Outcome::Refused
            }
            Ok(_) if self.gate.lease().number == before => Outcome::Unchanged,
            Ok(_) => Outcome::Done,
        };
        let metrics = &self.gate.archive.metrics;
        metrics.reloaded(outcome);
        // A file that was touched and is as before is nobody's deed.
        if outcome != Outcome::Unchanged || cause != FILE_CHANGE {
            let (Ok(text) | Err(text)) = &done;
            Audit {
                what: Deed::Reload,
                by: cause,
                outcome,
                detail: text.lines().next().unwrap_or_default(),
            }
            .note(metrics);
        }
        done
    }

    /// Swaps the next generation in, if there is one.
    async fn next(&mut self, cause: &str) -> Result<String, String> {
        let before = self.gate.lease();
        let metrics = self.gate.archive.metrics.clone();
        let loaded = match self.plan(&before.plan) {
            Err(text) => Err(text),
            Ok(plan) => {
                let loaded = self.loader.load(plan, &metrics, Some(&before)).await;
                loaded.map_err(|report| report.to_string())
            }
        };
        set(&self.status.config_error, loaded.as_ref().err().cloned());
        let loaded = loaded?;
        self.tell_refused(cause, &loaded.refused);
        self.tell_stale(&loaded.stale);
        let next = loaded.generation;
        let refused = loaded.refused.keys().cloned().collect();
        metrics.plugins(next.plugins.keys(), &refused);
        metrics.stale(loaded.stale.len());
        let same_plugins = swapped(&before.plugins, &next.plugins).is_empty();
        let same_keys = before.has_keys_of(&next);
        if same_plugins && same_keys && Arc::ptr_eq(&before.plan, &next.plan) {
            return Ok(format!(
                "nothing changed; generation {} serves",
                before.number
            ));
        }
        next.discover().await;
        let text = format!("generation {} serves", next.number);
        for (plugin, change) in swapped(&before.plugins, &next.plugins) {
            self.swap_ended(&plugin, cause, Outcome::Done, &change);
            tracing::info!(cause, "{change}");
        }
        if !same_keys {
            tracing::info!(cause, "new handshakes see what the files of TLS say now");
        }
        restart_needed(&before.plan, &next.plan);
        tracing::info!(cause, "{text}");
        self.gate.swap(next);
        Ok(text)
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

    fn swap_ended(&self, plugin: &str, cause: &str, outcome: Outcome, detail: &str) {
        let metrics = &self.gate.archive.metrics;
        metrics.swapped(plugin, outcome);
        Audit {
            what: Deed::Swap,
            by: cause,
            outcome,
            detail,
        }
        .note(metrics);
    }

    fn tell_refused(&self, cause: &str, refused: &Errors) {
        let known = known(&self.status.refused);
        for (name, text) in refused {
            if known.get(name) != Some(text) {
                let detail = format!("plugin {name} serves on as it was: {text}");
                self.swap_ended(name, cause, Outcome::Refused, &detail);
                tracing::error!(plugin = %name, "swap refused, the last good version serves on: {text}");
            }
        }
        set(&self.status.refused, refused.clone());
    }

    fn tell_stale(&self, stale: &Errors) {
        let known = known(&self.status.stale);
        for (file, text) in stale {
            if known.get(file) != Some(text) {
                tracing::error!(%file, "the last good content serves on: {text}");
            }
        }
        set(&self.status.stale, stale.clone());
    }
}

fn known(slot: &Mutex<Errors>) -> Errors {
    slot.lock().map(|known| known.clone()).unwrap_or_default()
}

fn same_settings(a: &Plan, b: &Plan) -> bool {
    a.admin == b.admin
        && a.plugin.iter().all(|(name, plugin)| {
            b.plugin
                .get(name)
                .is_some_and(|other| other.settings == plugin.settings)
        })
}

fn set<T>(slot: &Mutex<T>, value: T) {
    if let Ok(mut slot) = slot.lock() {
        *slot = value;
    }
}

/// What changed among the plugins: which, and a line about it.
fn swapped(
    before: &BTreeMap<Arc<str>, Arc<Plugin>>,
    next: &BTreeMap<Arc<str>, Arc<Plugin>>,
) -> Vec<(Arc<str>, String)> {
    let mut changes = Vec::new();
    for (name, plugin) in next {
        let change = match before.get(name) {
            None => format!("plugin {name} serves: {:?}", plugin.digest()),
            Some(old) if Arc::ptr_eq(old, plugin) => continue,
            Some(old) if old.digest() == plugin.digest() => {
                format!("plugin {name} has new settings")
            }
            Some(old) => format!(
                "plugin {name} swapped: {:?} -> {:?}",
                old.digest(),
                plugin.digest()
            ),
        };
        changes.push((name.clone(), change));
    }
    let gone = before.keys().filter(|name| !next.contains_key(*name));
    changes.extend(gone.map(|name| (name.clone(), format!("plugin {name} retired"))));
    changes
}

/// Says what of the new file takes effect only after a restart.
fn restart_needed(before: &Plan, next: &Plan) {
    let (old, new) = (&before.listen, &next.listen);
    let sockets =
        (old.http, old.h2c, old.https, old.admin) != (new.http, new.h2c, new.https, new.admin);
    let sizes = (old.workers, old.max_connections, old.max_head)
        != (new.workers, new.max_connections, new.max_head);
    let stores = before.plugins != next.plugins || before.cache != next.cache;
    // Where the access log goes and how it looks; what it tells follows at once.
    let settled = |log: &Log| (log.access, log.format, log.file.clone());
    let told = settled(&before.log) != settled(&next.log) || before.traces != next.traces;
    if sockets || sizes || told || stores {
        tracing::warn!(
            "changes of [listen] (but trusted_proxies), of access, format and file in [log], of [traces], [plugins] and [cache] take effect after a restart"
        );
    }
}

/// `portcullis reload`: asks the admin listener of the running gateway.
pub(crate) fn ask(options: &AdminOptions) -> Result<(), Failure> {
    let admin = options.line()?;
    let tokio = tokio::runtime::Runtime::new().map_err(|e| Failure::Trouble(e.to_string()))?;
    let said = tokio.block_on(admin.ask(http::Method::POST, "/reload"))?;
    println!("{}", said.member("done"));
    Ok(())
}
