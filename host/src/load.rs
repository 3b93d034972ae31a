//! From a plan to the next generation: what `run`, `reload` and `check` have in common, so that check never lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_admin::StaleFiles;
use portcullis_config::diagnostic::{Diagnostic, Report};
use portcullis_config::plan::{Plan, PluginPlan};
use portcullis_proxy::tls::Termination;
use portcullis_proxy::{Generation, Metrics, spec};
use portcullis_runtime::{Digest, EngineOptions, LoadError, Plugin, Runtime};
use portcullis_terminal::{Failure, Progress};

use crate::folder::Folder;
use crate::keyring::Keyring;
use crate::traits::Traits;
use crate::version::{Shelf, Version};

/// What a reload may raise a plugin's memory to without a restart; the config crate's own upper bound.
const MAX_MEMORY: usize = 256 * 1024 * 1024;

/// Loads plugins; keeps machine code between loads.
pub(crate) struct Loader {
    pub(crate) runtime: Runtime,
    /// What serves, what did, and what is pinned.
    pub(crate) shelf: Shelf,
    folder: Folder,
    keyring: Keyring,
}

/// What a load came to.
pub(crate) struct Loaded {
    pub(crate) generation: Generation,
    /// Plugins whose component carries no schema of its settings.
    pub(crate) untyped: Vec<Arc<str>>,
    /// What the plugins that were not refused are made of.
    pub(crate) versions: BTreeMap<Arc<str>, Version>,
    /// Plugins whose new version was refused while the last good one serves on.
    pub(crate) refused: BTreeMap<Arc<str>, Rejected>,
    /// Files of TLS that are bad while their last good content serves on.
    pub(crate) stale: StaleFiles,
}

/// A version that does not serve.
pub(crate) struct Rejected {
    pub(crate) text: String,
    /// None: it could not be read.
    pub(crate) digest: Option<Digest>,
    pub(crate) size: Option<u64>,
    /// None: it is no component.
    pub(crate) traits: Option<Traits>,
}

/// What became of the plugins of a plan.
#[derive(Default)]
struct LoadedPlugins {
    serving: BTreeMap<Arc<str>, Arc<Plugin>>,
    versions: BTreeMap<Arc<str>, Version>,
    refused: BTreeMap<Arc<str>, Rejected>,
    mistakes: Vec<Diagnostic>,
}

/// Why a plugin cannot serve.
enum Refused {
    Load(LoadError),
    /// Its settings have mistakes by the schema in its component.
    Settings(Vec<Diagnostic>),
}

impl Loader {
    /// With an engine for `instances` plugin instances at a time.
    pub(crate) fn new(plan: &Plan, instances: u32) -> Result<Loader, Failure> {
        Ok(Loader {
            runtime: runtime(plan, instances)?,
            shelf: Shelf::default(),
            folder: Folder::default(),
            keyring: Keyring::default(),
        })
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
        // A person waits for a start or a check, but not for a reload.
        let progress = match before {
            None => Progress::shown(),
            Some(_) => Progress::hidden(),
        };
        let runtime = &self.runtime;
        self.folder.look(used.clone(), runtime, &progress).await;
        let mut plugins = LoadedPlugins::default();
        progress.begin("configuring plugins", plan.plugin.len());
        for wanted in plan.plugin.values() {
            progress.one_more();
            self.load_plugin(&plan, wanted, before, &mut plugins).await;
        }
        drop(progress);
        let LoadedPlugins {
            serving,
            versions,
            refused,
            mut mistakes,
        } = plugins;
        let keys = tokio::task::block_in_place(|| self.keyring.load(&plan, before));
        let (security, stale) = match keys {
            Ok(keys) if mistakes.is_empty() => keys,
            keys => {
                mistakes.extend(keys.err().into_iter().flatten());
                return Err(Report::new(plan.source.clone(), mistakes));
            }
        };
        let untyped = versions.iter().filter(|(_, v)| v.schema.is_none());
        let untyped = untyped.map(|(name, _)| name.clone()).collect();
        self.folder.keep(|file| used.contains(file));
        let generation = Generation::build(plan, serving, security, metrics, before)?;
        Ok(Loaded {
            generation,
            untyped,
            versions,
            refused,
            stale,
        })
    }

    async fn load_plugin(
        &mut self,
        plan: &Plan,
        wanted: &PluginPlan,
        before: Option<&Generation>,
        into: &mut LoadedPlugins,
    ) {
        let name = &wanted.name;
        let old = before.and_then(|b| b.plugins.get(name));
        let version = self.version(plan, wanted);
        let error = match self.plugin(plan, wanted, version.clone(), old).await {
            Ok(plugin) => {
                into.serving.insert(name.clone(), plugin);
                let version = version.ok().map(|version| (name.clone(), version));
                into.versions.extend(version);
                return;
            }
            Err(error) => error,
        };
        if let Some(old) = old.filter(|old| **old.spec() == spec(wanted)) {
            let rejected = self.rejected(&error, &path(plan, wanted), version.ok());
            into.refused.insert(name.clone(), rejected);
            into.serving.insert(name.clone(), old.clone());
            return;
        }
        let pinned = self.shelf.is_pinned(name);
        let mistakes = error.into_mistakes(wanted).into_iter();
        let mistakes = mistakes.map(|it| if pinned { unpinned(it, name) } else { it });
        into.mistakes.extend(mistakes);
    }

    /// What a plugin's file held when it was last looked at.
    pub(crate) fn holds(&self, file: &Path) -> Option<Digest> {
        self.folder.holds(file).map(|(digest, _)| digest)
    }

    /// The pinned version, or that of the file.
    fn version(&mut self, plan: &Plan, wanted: &PluginPlan) -> Result<Version, LoadError> {
        let file = path(plan, wanted);
        let pinned = self.shelf.pinned(&wanted.name, &file, self.holds(&file));
        pinned.map_or_else(|| self.folder.version(&file), Ok)
    }

    async fn plugin(
        &self,
        plan: &Plan,
        wanted: &PluginPlan,
        version: Result<Version, LoadError>,
        old: Option<&Arc<Plugin>>,
    ) -> Result<Arc<Plugin>, Refused> {
        let Version { compiled, schema } = version?;
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
        if let Some(schema) = schema {
            let mistakes = plan.check_settings(wanted, &schema);
            if !mistakes.is_empty() {
                return Err(Refused::Settings(mistakes));
            }
        }
        Ok(verified.configure().await?.serve())
    }

    fn rejected(&self, error: &Refused, file: &Path, version: Option<Version>) -> Rejected {
        let read = self.folder.holds(file);
        let whole = version.as_ref();
        let digest = whole.map(Version::digest);
        let size = whole.map(|version| version.compiled.size() as u64);
        Rejected {
            text: error.text(),
            digest: digest.or(read.map(|(digest, _)| digest)),
            size: size.or(read.map(|(_, size)| size)),
            traits: whole.map(|version| Traits::refused(version, &self.runtime)),
        }
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

fn runtime(plan: &Plan, instances: u32) -> Result<Runtime, Failure> {
    let memories = plan.plugin.values().map(|p| p.given.limits.memory);
    let largest = memories.max().unwrap_or(0);
    Runtime::new(EngineOptions {
        instances,
        max_memory: largest.max(MAX_MEMORY),
        cache: plan.plugins.cache.clone(),
    })
    .map_err(Failure::Trouble)
}

/// Where a plugin's component is.
pub(crate) fn path(plan: &Plan, plugin: &PluginPlan) -> PathBuf {
    plan.plugins.folder.join(&plugin.component)
}

/// Tells that it is not the version of the file that has the mistake.
fn unpinned(mut mistake: Diagnostic, plugin: &str) -> Diagnostic {
    let hint =
        format!("it was rolled back: `POST /plugins/{plugin}/unpin` takes the version in its file");
    mistake.hint.get_or_insert(hint);
    mistake
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
