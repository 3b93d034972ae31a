//! From a plan to the next generation: what `run`, `reload` and `check` have in common, so that check never lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{Plan, PluginPlan};
use portcullis_proxy::tls::Termination;
use portcullis_proxy::{Generation, Metrics, spec};
use portcullis_runtime::{LoadError, Plugin, Runtime};

use crate::folder::Folder;
use crate::keyring::Keyring;
use crate::progress::Progress;

/// Plugins as they serve and what became of the newest attempt to load each.
pub(crate) type Errors = BTreeMap<Arc<str>, String>;

/// Loads plugins; keeps machine code between loads.
pub(crate) struct Loader {
    pub(crate) runtime: Runtime,
    folder: Folder,
    keyring: Keyring,
}

/// What a load came to.
pub(crate) struct Loaded {
    pub(crate) generation: Generation,
    /// Plugins whose component carries no schema of its settings.
    pub(crate) untyped: Vec<Arc<str>>,
    /// Plugins whose new version was refused while the last good one serves on.
    pub(crate) refused: Errors,
    /// Files of TLS that are bad while their last good content serves on.
    pub(crate) stale: Errors,
}

/// Why a plugin cannot serve.
enum Refused {
    Load(LoadError),
    /// Its settings have mistakes by the schema in its component.
    Settings(Vec<Diagnostic>),
}

impl Loader {
    pub(crate) fn new(runtime: Runtime) -> Loader {
        Loader {
            runtime,
            folder: Folder::default(),
            keyring: Keyring::default(),
        }
    }

    /// What the admin listener shows to clients, which is there before anything else is loaded.
    pub(crate) fn first(&mut self, plan: &Plan) -> Result<Option<Arc<Termination>>, Report> {
        let first = self.keyring.first(plan);
        first.map_err(|mistakes| Report::new(plan.source.clone(), mistakes))
    }

    /// Builds the generation of `plan`. A plugin whose new version fails keeps its old one from `before`; one that
    /// has no old one is a mistake in the plan. Unchanged plugins are taken over as they are.
    pub(crate) async fn load(
        &mut self,
        plan: Arc<Plan>,
        metrics: &Metrics,
        before: Option<&Generation>,
    ) -> Result<Loaded, Report> {
        let used: BTreeSet<PathBuf> = plan.plugin.values().map(|p| path(&plan, p)).collect();
        // Who starts the gateway or checks a file waits for this; who reloads does not.
        let progress = match before {
            None => Progress::shown(),
            Some(_) => Progress::hidden(),
        };
        let runtime = &self.runtime;
        self.folder.look(used.clone(), runtime, &progress).await;
        let mut plugins = BTreeMap::new();
        let mut refused = Errors::new();
        let mut mistakes = Vec::new();
        progress.begin("configuring plugins", plan.plugin.len());
        for (name, wanted) in &plan.plugin {
            progress.one_more();
            let old = before.and_then(|b| b.plugins.get(name));
            match self.plugin(&plan, wanted, old).await {
                Ok(plugin) => drop(plugins.insert(name.clone(), plugin)),
                Err(error) => match old.filter(|old| **old.spec() == spec(wanted)) {
                    Some(old) => {
                        refused.insert(name.clone(), error.text());
                        plugins.insert(name.clone(), old.clone());
                    }
                    None => mistakes.extend(error.into_mistakes(wanted)),
                },
            }
        }
        drop(progress);
        let keys = tokio::task::block_in_place(|| self.keyring.load(&plan, before));
        let (security, stale) = match keys {
            Ok(keys) if mistakes.is_empty() => keys,
            keys => {
                mistakes.extend(keys.err().into_iter().flatten());
                return Err(Report::new(plan.source.clone(), mistakes));
            }
        };
        let untyped = plan
            .plugin
            .values()
            .filter(|p| self.folder.schema(&path(&plan, p)).is_none())
            .map(|p| p.name.clone())
            .collect();
        self.folder.keep(|file| used.contains(file));
        let generation = Generation::build(plan, plugins, security, metrics, before)?;
        Ok(Loaded {
            generation,
            untyped,
            refused,
            stale,
        })
    }

    async fn plugin(
        &self,
        plan: &Plan,
        wanted: &PluginPlan,
        old: Option<&Arc<Plugin>>,
    ) -> Result<Arc<Plugin>, Refused> {
        let file = path(plan, wanted);
        let compiled = self.folder.compiled(&file)?;
        let spec = spec(wanted);
        if let Some(old) = old
            && old.digest() == compiled.digest()
            && **old.spec() == spec
        {
            return Ok(old.clone());
        }
        let verified = compiled.verify(&self.runtime, spec)?;
        if let Some(was) = old
            .map(|old| old.kind())
            .filter(|was| *was != verified.kind())
        {
            let is = verified.kind();
            return Err(LoadError::KindChanged { was, is }.into());
        }
        // Before any of its code runs.
        if let Some(schema) = self.folder.schema(&file) {
            let mistakes = plan.check_settings(wanted, &schema);
            if !mistakes.is_empty() {
                return Err(Refused::Settings(mistakes));
            }
        }
        Ok(verified.configure().await?.serve())
    }
}

// === impl Refused ===

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Self {
        Refused::Load(error)
    }
}

impl Refused {
    /// For the log and the list of plugins.
    fn text(&self) -> String {
        match self {
            Refused::Load(error) => error.to_string(),
            Refused::Settings(mistakes) => {
                let messages: Vec<&str> = mistakes.iter().map(|m| m.message.as_str()).collect();
                format!("its schema refuses the settings: {}", messages.join("; "))
            }
        }
    }

    fn into_mistakes(self, plugin: &PluginPlan) -> Vec<Diagnostic> {
        match self {
            Refused::Load(error) => vec![mistake(plugin, &error)],
            Refused::Settings(mistakes) => mistakes,
        }
    }
}

/// Where a plugin's component is.
pub(crate) fn path(plan: &Plan, plugin: &PluginPlan) -> PathBuf {
    plan.plugins.folder.join(&plugin.component)
}

/// A load error as a mistake of the file, at the key that it is about.
fn mistake(plugin: &PluginPlan, error: &LoadError) -> Diagnostic {
    let span = match error {
        LoadError::Settings(_) => plugin.settings_span,
        _ => plugin.component_span,
    };
    Diagnostic::new(
        span,
        format!("plugin `{}` cannot be used: {error}", plugin.name),
    )
}
