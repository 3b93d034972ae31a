//! The ages of a plugin. Each is a type, each step consumes the last, each failure names its step.
//!
//! ```text
//! Artifact ──compile──▶ Compiled ──verify──▶ Verified ──configure──▶ Configured ──serve──▶ Arc<Plugin>
//! ```
//! A plugin retires when the last lease on it is dropped.

pub(crate) mod imports;
pub(crate) mod schema;
pub(crate) mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Component;

use crate::CallError;
use crate::call::instance::{Live, Pre};
use crate::digest::Digest;
use crate::engine::Runtime;
use crate::error::LoadError;
use crate::guest::http::incoming;
use crate::kind::Kind;
use crate::life::imports::Import;
use crate::life::snapshot::Snapshot;
use crate::serve::plugin::{Phases, Plugin};
use crate::serve::template::{Copied, Made, Template};
use crate::spec::{Copying, Spec};
use crate::text::{one_line, printable};

/// Largest component that is read, in bytes.
const MAX_COMPONENT: u64 = 32 * 1024 * 1024;
/// How long `configure` may take; it runs off the request's way.
const CONFIGURE_TIME: Duration = Duration::from_secs(5);

/// Notes of one registration, and characters of one key or value.
const MAX_NOTES: usize = 2000;
const MAX_NOTE: usize = 300;

/// Discovered: the bytes of a file, and what they hash to.
pub struct Artifact {
    path: PathBuf,
    bytes: Vec<u8>,
    digest: Digest,
}

/// Machine code, not yet known to be a plugin. Cheap to clone: several plugins may share one component.
#[derive(Clone)]
pub struct Compiled {
    component: Component,
    digest: Digest,
    /// As it was read.
    wasm: Arc<[u8]>,
    /// Why no snapshot can be taken of it.
    opaque: Option<Arc<str>>,
}

/// A plugin of one kind whose imports are all granted.
pub struct Verified {
    runtime: Runtime,
    compiled: Compiled,
    pre: Pre,
    kind: Kind,
    spec: Arc<Spec>,
    imports: Vec<String>,
}

/// A plugin that accepted its settings.
pub struct Configured {
    template: Arc<Template>,
    spec: Arc<Spec>,
}

// === impl Artifact ===

impl Artifact {
    /// Reads a component file, at most 32 MiB.
    pub fn read(path: &Path) -> Result<Artifact, LoadError> {
        let problem = |e: std::io::Error| LoadError::Read {
            path: path.to_owned(),
            problem: e.to_string(),
        };
        let size = std::fs::metadata(path).map_err(problem)?.len();
        if size > MAX_COMPONENT {
            return Err(LoadError::TooBig {
                path: path.to_owned(),
                size,
                limit: MAX_COMPONENT,
            });
        }
        let bytes = std::fs::read(path).map_err(problem)?;
        Ok(Artifact::from_bytes(path.to_owned(), bytes))
    }

    pub fn from_bytes(path: PathBuf, bytes: Vec<u8>) -> Artifact {
        let digest = Digest::of(&bytes);
        Artifact {
            path,
            bytes,
            digest,
        }
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Compiles; takes 0.1–0.3 s of CPU, so never on a request thread.
    pub fn compile(self, runtime: &Runtime) -> Result<Compiled, LoadError> {
        // A core module has layer 0 where a component has 1 (component-model, Binary.md).
        if self.bytes.starts_with(b"\0asm\x01\0\0\0") {
            return Err(LoadError::CoreModule);
        }
        let compile = |bytes: &[u8]| {
            Component::from_binary(&runtime.engine, bytes)
                .map_err(|error| LoadError::Compile(one_line(&error)))
        };
        let instrumented = snapshot::instrument(&self.bytes)
            .and_then(|bytes| compile(&bytes).map_err(|error| error.to_string()));
        let (component, opaque) = match instrumented {
            Ok(component) => (component, None),
            Err(why) => (compile(&self.bytes)?, Some(why.into())),
        };
        Ok(Compiled {
            component,
            digest: self.digest,
            wasm: self.bytes.into(),
            opaque,
        })
    }
}

// === impl Compiled ===

impl Compiled {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the component.
    pub fn size(&self) -> usize {
        self.wasm.len()
    }

    /// Checks exports and imports against what `spec` grants.
    pub fn verify(self, runtime: &Runtime, spec: Spec) -> Result<Verified, LoadError> {
        let kind = self.kind(runtime)?;
        let imports = imports::granted(&self.component, runtime, &spec)?;
        let pre = link(runtime, kind, &self.component)
            .map_err(|error| LoadError::Link(one_line(&error)))?;
        Ok(Verified {
            runtime: runtime.clone(),
            compiled: self,
            pre,
            kind,
            spec: Arc::new(spec),
            imports,
        })
    }

    /// Everything it imports, whatever it is granted.
    pub fn imports(&self, runtime: &Runtime) -> Vec<Import> {
        imports::all(&self.component, runtime)
    }

    /// The one interface of plugins that it exports.
    pub fn kind(&self, runtime: &Runtime) -> Result<Kind, LoadError> {
        let ty = self.component.component_type();
        let exports: Vec<String> = ty
            .exports(&runtime.engine)
            .map(|(name, _)| name.to_owned())
            .filter(|name| !name.starts_with(snapshot::ACCESS))
            .collect();
        let standard = exports
            .iter()
            .any(|name| name.starts_with(incoming::EXPORT));
        let exported = |kind: &Kind| {
            (standard && *kind == Kind::Handler)
                || exports
                    .iter()
                    .any(|name| imports::interface(name) == Some((kind.as_str(), true)))
        };
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(exported).collect();
        match kinds.as_slice() {
            [kind] => Ok(*kind),
            [] if exports.is_empty() => Err(LoadError::NotAPlugin("nothing".into())),
            [] => Err(LoadError::NotAPlugin(exports.join(", "))),
            several => Err(LoadError::SeveralKinds(
                several
                    .iter()
                    .map(|kind| kind.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            )),
        }
    }
}

fn link(runtime: &Runtime, kind: Kind, component: &Component) -> wasmtime::Result<Pre> {
    let ty = component.component_type();
    let standard = ty
        .exports(&runtime.engine)
        .any(|(name, _)| name.starts_with(incoming::EXPORT));
    Pre::new(kind, standard, runtime.linker.instantiate_pre(component)?)
}

// === impl Verified ===

impl Verified {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives one instance its settings, hears what it wants to see, and takes a snapshot of it where instances are
    /// fresh. The snapshot is compiled afterwards: until then each instance is configured anew.
    pub async fn configure(self) -> Result<Configured, LoadError> {
        let settings = Digest::of(&self.spec.settings.0);
        let key = (
            self.compiled.digest,
            settings,
            self.spec.kept,
            self.spec.copying,
        );
        let spec = self.spec.clone();
        let templates = self.runtime.templates.clone();
        let template = match templates.get(&key) {
            Some(template) => template,
            None => templates.put(key, self.template().await?),
        };
        Ok(Configured { template, spec })
    }

    async fn template(self) -> Result<Template, LoadError> {
        let (runtime, spec) = (self.runtime, self.spec);
        let first = Live::first(&runtime, &self.pre, &spec, CONFIGURE_TIME).await;
        let (store, instance, registration) = first.map_err(|error| refused(error, &spec))?;
        let none = |why: &str| Err(Snapshot::None(why.into()));
        let taken = match self.compiled.opaque {
            _ if spec.kept => Err(Snapshot::Kept),
            _ if spec.copying == Copying::Never => none("`snapshot = \"never\"`"),
            Some(why) => none(&why),
            None => snapshot::take(self.compiled.wasm, store, instance)
                .await
                .map_err(Snapshot::None),
        };
        let copy = match taken {
            Ok(bytes) => Copied::after(copied(runtime.clone(), self.kind, bytes)),
            Err(none) => Copied::none(none),
        };
        Ok(Template {
            runtime,
            pre: self.pre,
            kind: self.kind,
            digest: self.compiled.digest,
            imports: self.imports,
            phases: Phases::from(registration.phases),
            body_limit: registration.body_limit as usize,
            notes: bounded(registration.notes),
            copy,
        })
    }
}

/// What it notes about itself: text from a stranger.
fn bounded(notes: Vec<(String, String)>) -> Vec<(String, String)> {
    let notes = notes.into_iter().take(MAX_NOTES);
    let said = |text: String| printable(&text, MAX_NOTE);
    notes.map(|(key, value)| (said(key), said(value))).collect()
}

/// Compiles and links a snapshot.
async fn copied(runtime: Runtime, kind: Kind, bytes: Vec<u8>) -> Made {
    let size = bytes.len();
    let component = snapshot::compile(&runtime, bytes).await;
    let pre = component.and_then(|c| link(&runtime, kind, &c).map_err(|error| one_line(&error)));
    pre.map(|pre| (pre, size)).map_err(Snapshot::None)
}

fn refused(error: CallError, spec: &Spec) -> LoadError {
    match error {
        CallError::TimedOut(time) => LoadError::ConfigureTime(time),
        // The limiter's own words; there is no error type to match on.
        CallError::Trapped(text) if text.contains("memory minimum size") => LoadError::Memory {
            problem: text,
            limit: spec.budget.memory,
        },
        CallError::Failed(text) => LoadError::Settings(text),
        other => LoadError::Configure(other.to_string()),
    }
}

// === impl Configured ===

impl Configured {
    /// The plugin as routes use it.
    pub fn serve(self) -> Arc<Plugin> {
        Arc::new(Plugin::new(self.template, self.spec))
    }
}
