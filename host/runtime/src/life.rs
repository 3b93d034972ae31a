//! The ages of a plugin. Each is a type, each step consumes the last, each failure names its step.
//!
//! ```text
//! Artifact ──compile──▶ Compiled ──verify──▶ Verified ──configure──▶ Configured ──serve──▶ Arc<Plugin>
//! ```
//! A plugin retires when the last lease on it is dropped.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, types::ComponentItem};

use crate::engine::Runtime;
use crate::error::LoadError;
use crate::instance::{Live, Pre};
use crate::plugin::{Phases, Plugin};

/// Largest component that is read, in bytes.
const MAX_COMPONENT: u64 = 32 * 1024 * 1024;
/// How long `configure` may take; it runs off the request's way.
const CONFIGURE_TIME: Duration = Duration::from_secs(5);
const PACKAGE: &str = "portcullis:plugin/";
const VERSION: &str = "0.1";

/// What one plugin of gateway.toml is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub name: Arc<str>,
    /// JSON text.
    pub settings: SecretText,
    /// Upstreams it may call.
    pub upstreams: Vec<Arc<str>>,
    /// Bytes of linear memory per instance.
    pub memory: usize,
    /// Wall time of one call.
    pub time: Duration,
    pub host_calls: u32,
    /// Reuse instances between requests.
    pub kept: bool,
}

/// Text that Debug does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// The sha256 of a component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

/// The kinds of plugins: one world of the contract each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Authenticator,
    Authorizer,
    Filter,
    Handler,
}

impl Kind {
    const ALL: [Kind; 4] = [
        Kind::Authenticator,
        Kind::Authorizer,
        Kind::Filter,
        Kind::Handler,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Authenticator => "authenticator",
            Kind::Authorizer => "authorizer",
            Kind::Filter => "filter",
            Kind::Handler => "handler",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
}

/// A plugin of one kind whose imports are all granted.
pub struct Verified {
    runtime: Runtime,
    pre: Pre,
    kind: Kind,
    digest: Digest,
    spec: Arc<Spec>,
    imports: Vec<String>,
}

/// A plugin that accepted its settings.
pub struct Configured {
    verified: Verified,
    phases: Phases,
    body_limit: usize,
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
        let digest = Digest(Sha256::digest(&bytes).into());
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

    /// Compiles; takes 0.1–0.3 s of CPU, so never on a request thread.
    pub fn compile(self, runtime: &Runtime) -> Result<Compiled, LoadError> {
        // A core module has layer 0 where a component has 1 (component-model, Binary.md).
        if self.bytes.starts_with(b"\0asm\x01\0\0\0") {
            return Err(LoadError::CoreModule);
        }
        let component = Component::from_binary(&runtime.engine, &self.bytes)
            .map_err(|error| LoadError::Compile(one_line(&error)))?;
        Ok(Compiled {
            component,
            digest: self.digest,
        })
    }
}

// === impl Compiled ===

impl Compiled {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks exports and imports against what `spec` grants.
    pub fn verify(self, runtime: &Runtime, spec: Spec) -> Result<Verified, LoadError> {
        let kind = self.kind(runtime)?;
        let imports = self.granted_imports(runtime, &spec)?;
        let linked = runtime
            .linker
            .instantiate_pre(&self.component)
            .map_err(|error| LoadError::Link(one_line(&error)))?;
        let pre = Pre::new(kind, linked).map_err(|error| LoadError::Link(one_line(&error)))?;
        Ok(Verified {
            runtime: runtime.clone(),
            pre,
            kind,
            digest: self.digest,
            spec: Arc::new(spec),
            imports,
        })
    }

    fn kind(&self, runtime: &Runtime) -> Result<Kind, LoadError> {
        let ty = self.component.component_type();
        let exports: Vec<String> = ty
            .exports(&runtime.engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let exported = |kind: &Kind| {
            exports
                .iter()
                .any(|name| interface(name) == Some((kind.as_str(), true)))
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

    fn granted_imports(&self, runtime: &Runtime, spec: &Spec) -> Result<Vec<String>, LoadError> {
        let ty = self.component.component_type();
        let mut imports = Vec::new();
        let mut refused = Vec::new();
        for (name, item) in ty.imports(&runtime.engine) {
            let bare = name.split('@').next().unwrap_or(name);
            match interface(name) {
                Some(("upstream", true))
                    if spec.upstreams.is_empty() && has_functions(&item.ty, runtime) =>
                {
                    return Err(LoadError::NoUpstreams);
                }
                Some((_, true)) => {}
                _ if crate::wasi::GRANTED.contains(&bare) && name.contains("@0.2.") => {}
                _ => refused.push(name.to_owned()),
            }
            imports.push(name.to_owned());
        }
        if refused.is_empty() {
            Ok(imports)
        } else {
            Err(LoadError::Ungranted(refused.join(", ")))
        }
    }
}

/// Splits "portcullis:plugin/filter@0.1.0" into ("filter", version fits).
fn interface(name: &str) -> Option<(&str, bool)> {
    let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
    Some((
        interface,
        version
            .rsplit_once('.')
            .is_some_and(|(track, _)| track == VERSION),
    ))
}

/// An interface imported for its types alone asks for nothing.
fn has_functions(item: &ComponentItem, runtime: &Runtime) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(&runtime.engine)
            .any(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_))),
        _ => true,
    }
}

// === impl Verified ===

impl Verified {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Creates an instance, gives it its settings and hears what it wants to see.
    pub async fn configure(self) -> Result<Configured, LoadError> {
        let configured = Live::start(&self.runtime, &self.pre, &self.spec, CONFIGURE_TIME).await;
        let (_, registration) = configured.map_err(|error| match error {
            crate::CallError::TimedOut(time) => LoadError::ConfigureTime(time),
            // The limiter's own words; there is no error type to match on.
            crate::CallError::Trapped(text) if text.contains("memory minimum size") => {
                LoadError::Memory {
                    problem: text,
                    limit: self.spec.memory,
                }
            }
            crate::CallError::Failed(text) => LoadError::Settings(text),
            other => LoadError::Configure(other.to_string()),
        })?;
        let body_limit = registration.body_limit as usize;
        Ok(Configured {
            phases: Phases::from(registration.phases),
            body_limit,
            verified: self,
        })
    }
}

// === impl Configured ===

impl Configured {
    /// The plugin as routes use it.
    pub fn serve(self) -> Arc<Plugin> {
        let v = self.verified;
        Arc::new(Plugin::new(
            v.runtime,
            v.pre,
            v.kind,
            v.digest,
            v.spec,
            v.imports,
            self.phases,
            self.body_limit,
        ))
    }
}

/// An error with its causes on one bounded line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    crate::host::printable(&format!("{error:#}"), 600)
}
