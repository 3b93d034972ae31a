//! What all plugins share: the engine, the linked host functions, the stores and the templates in use.

use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};

use crate::call::store::Stores;
use crate::call::worlds::Pre;
use crate::engine::{Engine, EngineOptions};
use crate::guest::http::incoming;
use crate::guest::linker::linker;
use crate::guest::session::Session;
use crate::kind::Kind;
use crate::serve::template::Templates;
use crate::state::memory::Memory;

/// Everything that plugins share. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) engine: Engine,
    linker: Arc<Linker<Session>>,
    pub(crate) stores: Stores,
    pub(crate) templates: Arc<Templates>,
    /// How many more snapshots may be compiled at once.
    pub(crate) compiling: Arc<Semaphore>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// Fails when the machine refuses the address space of the pool; the text says how much.
    pub fn new(options: EngineOptions) -> Result<Runtime, String> {
        let engine = Engine::new(&options)?;
        let linker = linker(engine.wasm())
            .map_err(|error| format!("cannot link the host interfaces: {error:#}"))?;
        Ok(Runtime {
            stores: Stores::new(engine.clone(), Arc::new(Memory::default())),
            engine,
            linker: Arc::new(linker),
            templates: Arc::default(),
            compiling: Arc::new(Semaphore::new(cores())),
        })
    }

    /// Links a component of this kind.
    pub(crate) fn link(&self, kind: Kind, component: &Component) -> wasmtime::Result<Pre> {
        let ty = component.component_type();
        let standard = ty
            .exports(self.engine.wasm())
            .any(|(name, _)| name.starts_with(incoming::EXPORT));
        Pre::new(kind, standard, self.linker.instantiate_pre(component)?)
    }
}

/// What compiling may use at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
