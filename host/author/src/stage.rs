//! Where cases are played: one component in an engine of its own, configured as often as there are settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::Diagnostic;
use portcullis_config::plan::{Plan, PluginPlan};
use portcullis_runtime::{
    Artifact, Bill, Compiled, EngineOptions, Import, Kind, LoadError, Plugin, Post, Runtime, Spec,
    settings_schema,
};
use portcullis_terminal::Failure;
use portcullis_terminal::Progress;

use crate::build;
use crate::case::{Case, Cases};
use crate::scene::Scene;

/// A component, compiled.
pub(super) struct Stage {
    runtime: Runtime,
    compiled: Compiled,
    pub(super) schema: Option<String>,
    pub(super) bytes: usize,
    component: PathBuf,
}

/// Why a plugin cannot be had.
pub(super) enum Refused {
    /// Its schema or the plugin itself refuses the settings.
    Settings(String),
    Load(LoadError),
}

/// Instances alive at once; cases are played one after the other.
const INSTANCES: u32 = 64;
/// The most that `limits.memory` can say.
const MAX_MEMORY: usize = 256 * 1024 * 1024;

impl Stage {
    pub(super) fn set(component: &Path) -> Result<Stage, Failure> {
        let options = EngineOptions {
            instances: INSTANCES,
            max_memory: MAX_MEMORY,
            cache: None,
        };
        let runtime = Runtime::new(options).map_err(Failure::Trouble)?;
        let refused = |error| mistake(component, &error);
        let artifact = Artifact::read(component).map_err(refused)?;
        let wasm = std::fs::read(component).unwrap_or_default();
        let progress = Progress::shown();
        progress.begin("compiling the component", 1);
        Ok(Stage {
            compiled: artifact.compile(&runtime).map_err(refused)?,
            runtime,
            schema: settings_schema(&wasm),
            bytes: wasm.len(),
            component: component.to_owned(),
        })
    }

    pub(super) fn kind(&self) -> Result<Kind, Failure> {
        let kind = self.compiled.kind(&self.runtime);
        kind.map_err(|error| mistake(&self.component, &error))
    }

    pub(super) fn digest(&self) -> portcullis_runtime::Digest {
        self.compiled.digest()
    }

    pub(super) fn imports(&self) -> Vec<Import> {
        self.compiled.imports(&self.runtime)
    }

    /// What gateway.toml would say with the settings of a case. Each number is a plugin of its own, so that no case
    /// finds what another left in a store.
    pub(super) fn plan(
        &self,
        cases: &Cases,
        case: Option<&Case>,
        number: usize,
    ) -> Result<Plan, Failure> {
        let stem = self
            .component
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let fitting = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = stem.chars().map(fitting).take(48).collect();
        cases.plan(&format!("{name}-{number}"), case)
    }

    /// The plugin as a gateway would load it, with `change` made to what it is given.
    pub(super) async fn plugin(
        &self,
        plan: &Plan,
        plugin: &PluginPlan,
        change: impl FnOnce(&mut Spec),
    ) -> Result<Arc<Plugin>, Refused> {
        let mistakes = self
            .schema
            .as_ref()
            .map(|schema| plan.check_settings(plugin, schema));
        let told = |mistake: Diagnostic| match mistake.hint {
            Some(hint) => format!("{}; {hint}", mistake.message),
            None => mistake.message,
        };
        let mistakes: Vec<String> = mistakes.into_iter().flatten().map(told).collect();
        if !mistakes.is_empty() {
            return Err(Refused::Settings(mistakes.join("; ")));
        }
        let mut spec = portcullis_proxy::spec(plugin);
        change(&mut spec);
        let verified = self.compiled.clone().verify(&self.runtime, spec)?;
        let plugin = verified.configure().await?.serve();
        plugin.settled().await;
        Ok(plugin)
    }

    /// The plugin of a case.
    pub(super) async fn cast(
        &self,
        cases: &Cases,
        case: &Case,
        number: usize,
        change: impl FnOnce(&mut Spec),
    ) -> Result<Result<Arc<Post>, Refused>, Failure> {
        let plan = self.plan(cases, Some(case), number)?;
        let Some(wanted) = plan.plugin.values().next() else {
            return Err(Failure::Trouble("a plan of cases has no plugin".into()));
        };
        let plugin = self.plugin(&plan, wanted, change).await;
        // A route of its own, and a bill of its own.
        Ok(plugin.map(|plugin| plugin.post(plugin.spec().clone(), Arc::new(Bill::default()))))
    }

    /// The scenes of all cases; every mistake at once.
    pub(super) fn scenes(&self, wanted: &[(String, &Case)]) -> Result<Vec<Scene>, Failure> {
        let kind = self.kind()?;
        let (mut scenes, mut mistakes) = (Vec::new(), Vec::new());
        for (place, case) in wanted {
            match Scene::of(case, kind) {
                Ok(scene) => scenes.push(scene),
                Err(why) => mistakes.push(format!("{place}: error: case {:?}: {why}", case.name)),
            }
        }
        if mistakes.is_empty() {
            Ok(scenes)
        } else {
            Err(Failure::Mistake(mistakes.join("\n")))
        }
    }
}

/// A load error of a file.
pub(super) fn mistake(place: &Path, error: &LoadError) -> Failure {
    Failure::Mistake(format!("{}: error: {error}", place.display()))
}

/// The component that is named, else the one of the crate in this folder, which is built.
pub(super) fn component(named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    named.map_or_else(|| build::component(Path::new(".")), |path| Ok(path.clone()))
}

/// One thread: calls come in the same order every time.
pub(super) fn tokio() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(Failure::trouble)
}

// === impl Refused ===

impl From<LoadError> for Refused {
    fn from(error: LoadError) -> Refused {
        match error {
            LoadError::Settings(why) => Refused::Settings(why),
            error => Refused::Load(error),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Settings(why) => write!(f, "the settings are refused: {why}"),
            Refused::Load(error) => error.fmt(f),
        }
    }
}
