//! The first age: the bytes of a component.

use std::path::{Path, PathBuf};

use wasmtime::component::Component;

use crate::digest::Digest;
use crate::engine::code::Form;
use crate::error::LoadError;
use crate::life::compiled::Compiled;
use crate::life::runtime::Runtime;
use crate::life::snapshot::{self, Source};
use crate::text::one_line;

/// Largest component that is read, in bytes.
const MAX_COMPONENT: u64 = 32 * 1024 * 1024;

/// Discovered: the bytes of a file, and what they hash to.
pub struct Artifact {
    path: PathBuf,
    bytes: Vec<u8>,
    digest: Digest,
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

    /// Compiles, unless the machine code was kept; takes 0.1–0.3 s of CPU, so never on a request thread.
    pub fn compile(self, runtime: &Runtime) -> Result<Compiled, LoadError> {
        // A core module has layer 0 where a component has 1 (component-model, Binary.md).
        if self.bytes.starts_with(b"\0asm\x01\0\0\0") {
            return Err(LoadError::CoreModule);
        }
        let compile = |bytes: &[u8]| {
            Component::from_binary(runtime.engine.wasm(), bytes)
                .map_err(|error| LoadError::Compile(one_line(&error)))
        };
        let code = runtime.engine.code();
        let instrumented = code.component(Form::Instrumented, self.digest, || {
            snapshot::instrument(&self.bytes)
                .and_then(|bytes| compile(&bytes).map_err(|error| error.to_string()))
        });
        let (component, opaque) = match instrumented {
            Ok(component) => (component, None),
            Err(why) => {
                let plain = || compile(&self.bytes);
                let component = code.component(Form::Plain, self.digest, plain)?;
                (component, Some(why.into()))
            }
        };
        Ok(Compiled {
            component,
            digest: self.digest,
            source: Source {
                wasm: self.bytes.into(),
                opaque,
            },
        })
    }
}
