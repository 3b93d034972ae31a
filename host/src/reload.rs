//! Reload: one supervisor task that builds the next generation beside the old, whoever asked for it.

mod back;
mod changes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use portcullis_config::plan::Plan;
use portcullis_proxy::Gate;
use portcullis_proxy::audit::{Audit, Deed, Outcome};
use portcullis_terminal::Failure;
use tokio::sync::{mpsc, oneshot};

use self::changes::{restart_needed, same_settings, swapped};
use crate::client::AdminOptions;
use crate::history::{Became, Entry, History, Traits};
use crate::load::{Errors, Loaded, Loader, Rejected};
use crate::version::Version;

/// Who wants something of the supervisor, and why.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) cause: &'static str,
    pub(crate) wish: Wish,
    /// Told how it went.
    pub(crate) answer: Option<oneshot::Sender<Result<String, String>>>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Whatever changed is to serve.
    Reload,
    /// The version of this plugin that served before.
    RollBack(Arc<str>),
    /// The version of this plugin that is in its file.
    Unpin(Arc<str>),
}

/// What the admin listener shows of reloads. Never locked on the request's way.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) refused: Mutex<Errors>,
    /// Files of TLS that are bad, and why.
    pub(crate) stale: Mutex<Errors>,
    pub(crate) config_error: Mutex<Option<String>>,
    pub(crate) history: History,
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

impl Request {
    /// Whoever asked may have gone.
    fn tell(self, done: Result<String, String>) {
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
                .partition(|request| request.wish == Wish::Reload);
            if let Some(first) = reloads.first() {
                let done = self.reload(first.cause).await;
                for request in reloads {
                    request.tell(done.clone());
                }
            }
            for request in others {
                let done = match &request.wish {
                    Wish::Reload => continue,
                    Wish::RollBack(plugin) => self.roll_back(plugin, request.cause).await,
                    Wish::Unpin(plugin) => self.unpin(plugin, request.cause).await,
                };
                request.tell(done);
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
        set(&self.status.config_error, done.as_ref().err().cloned());
        let outcome = match &done {
            Err(text) => {
                tracing::error!(cause, "reload refused, nothing was changed:\n{text}");
                Outcome::Refused
            }
            Ok(_) if self.gate.lease().number == before.number => Outcome::Unchanged,
            Ok(_) => Outcome::Done,
        };
        self.gate.archive.metrics.reloaded(outcome);
        // A file that was touched and is as before is nobody's deed.
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
        let metrics = self.gate.archive.metrics.clone();
        let loaded = self.loader.load(plan, &metrics, Some(&before)).await;
        let loaded = loaded.map_err(|report| report.to_string())?;
        let Loaded {
            generation: next,
            versions,
            refused,
            stale,
            ..
        } = loaded;
        let bad = refused.keys().cloned().collect();
        metrics.plugins(next.plugins.keys(), &bad);
        metrics.stale(stale.len());
        self.tell_refused(refused, cause);
        self.tell_stale(&stale);
        let swaps = swapped(&before.plugins, &next.plugins);
        let same_keys = before.has_keys_of(&next);
        if swaps.is_empty() && same_keys && Arc::ptr_eq(&before.plan, &next.plan) {
            self.keep(versions);
            return Ok(format!(
                "nothing changed; generation {} serves",
                before.number
            ));
        }
        next.discover().await;
        let text = format!("generation {} serves", next.number);
        for (plugin, change) in &swaps {
            tracing::info!(cause, "{change}");
            let became = match back == Some(plugin) {
                true => Became::RolledBack,
                false => Became::Served,
            };
            if became == Became::Served {
                metrics.swapped(plugin, Outcome::Done);
                self.audit(Deed::Swap, cause, Outcome::Done, change);
            }
            if let Some((new, version)) = next.plugins.get(plugin).zip(versions.get(plugin)) {
                let entry = Entry::new(became, cause, next.number)
                    .of(Some(new.digest()), Some(version.compiled.size() as u64))
                    .differing(
                        self.traits(plugin).as_ref(),
                        Some(&Traits::of(new, version)),
                    );
                self.status.history.note(plugin, entry);
            }
        }
        if !same_keys {
            tracing::info!(cause, "new handshakes see what the files of TLS say now");
        }
        restart_needed(&before.plan, &next.plan);
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

    /// Of the version that serves.
    fn traits(&self, plugin: &str) -> Option<Traits> {
        let serving = self.gate.lease();
        let version = self.loader.shelf.serving(plugin)?;
        Some(Traits::of(serving.plugins.get(plugin)?, version))
    }

    fn audit(&self, what: Deed, by: &str, outcome: Outcome, detail: &str) {
        let audit = Audit {
            what,
            by,
            outcome,
            detail,
        };
        audit.note(&self.gate.archive.metrics);
    }

    fn tell_refused(&self, refused: BTreeMap<Arc<str>, Rejected>, cause: &'static str) {
        let known = known(&self.status.refused);
        let serving = self.gate.lease();
        for (name, rejected) in &refused {
            let text = &rejected.text;
            if known.get(name) == Some(text) {
                continue;
            }
            self.gate.archive.metrics.swapped(name, Outcome::Refused);
            let detail = format!("plugin {name} serves on as it was: {text}");
            self.audit(Deed::Swap, cause, Outcome::Refused, &detail);
            tracing::error!(plugin = %name, "swap refused, the last good version serves on: {text}");
            let entry = Entry::new(Became::Refused, cause, serving.number)
                .of(rejected.digest, rejected.size)
                .because(text)
                .differing(self.traits(name).as_ref(), rejected.traits.as_ref());
            self.status.history.note(name, entry);
        }
        let texts = refused.into_iter().map(|(name, it)| (name, it.text));
        set(&self.status.refused, texts.collect());
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

/// What is told of plugins or files.
pub(crate) fn known(slot: &Mutex<Errors>) -> Errors {
    slot.lock().map(|known| known.clone()).unwrap_or_default()
}

fn set<T>(slot: &Mutex<T>, value: T) {
    if let Ok(mut slot) = slot.lock() {
        *slot = value;
    }
}

/// `portcullis reload`: asks the admin listener of the running gateway.
pub(crate) fn ask(options: &AdminOptions) -> Result<(), Failure> {
    let admin = options.line()?;
    let tokio = tokio::runtime::Runtime::new().map_err(Failure::trouble)?;
    let said = tokio.block_on(admin.ask(http::Method::POST, "/reload"))?;
    println!("{}", said.member("done"));
    Ok(())
}
