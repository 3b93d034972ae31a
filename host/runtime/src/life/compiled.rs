//! The second age: machine code. It is verified against what it is granted.

use std::sync::Arc;

use wasmtime::component::Component;

use crate::digest::Digest;
use crate::error::LoadError;
use crate::guest::http::incoming;
use crate::kind::Kind;
use crate::life::imports::{self, Import};
use crate::life::runtime::Runtime;
use crate::life::snapshot::{self, Source};
use crate::life::verified::Verified;
use crate::spec::Spec;
use crate::text::one_line;

/// Machine code, not yet known to be a plugin. Cheap to clone: several plugins may share one component.
#[derive(Clone)]
pub struct Compiled {
    pub(super) component: Component,
    pub(super) digest: Digest,
    pub(super) source: Source,
}

// === impl Compiled ===

impl Compiled {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the component.
    pub fn size(&self) -> usize {
        self.source.wasm.len()
    }

    /// Checks exports and imports against what `spec` grants.
    pub fn verify(self, runtime: &Runtime, spec: Spec) -> Result<Verified, LoadError> {
        let kind = self.kind(runtime)?;
        let imports = imports::granted(&self.component, runtime, &spec)?;
        let pre = runtime
            .link(kind, &self.component)
            .map_err(|error| LoadError::Link(one_line(&error)))?;
        Ok(Verified {
            runtime: runtime.clone(),
            digest: self.digest,
            source: self.source,
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
            .exports(runtime.engine.wasm())
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
