//! The engine: one wasmtime engine for all plugins, its pool of instances, its cache of machine code and its clock.

pub(crate) mod code;
pub(crate) mod turns;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::engine::code::CodeCache;

/// How often a running guest is looked at. A loop is noticed within one tick.
pub(crate) const TICK: Duration = Duration::from_millis(2);

const MAX_WASM_STACK: usize = 256 * 1024;
/// Fibers need the guest's stack plus what host functions use on it.
const FIBER_STACK: usize = 512 * 1024;
/// Bytes of a used instance's memory that are zeroed in place instead of given back to the kernel.
const KEEP_RESIDENT: usize = 128 * 1024;

#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Instances alive at once, over all plugins.
    pub instances: u32,
    /// Largest linear memory of any plugin, in bytes.
    pub max_memory: usize,
    /// Where machine code is kept between starts; None: nowhere. The directory must belong to this user alone.
    pub cache: Option<PathBuf>,
}

/// The engine of all plugins with the clock of its epochs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engine {
    wasm: wasmtime::Engine,
    code: Arc<CodeCache>,
    _ticker: Arc<Ticker>,
}

impl Engine {
    /// Fails when the machine refuses the address space of the pool; the text says how much.
    pub(crate) fn new(options: &EngineOptions) -> Result<Engine, String> {
        let wasm = wasmtime::Engine::new(&engine_config(options)).map_err(|error| {
            format!(
                "cannot set up {} plugin instances: {error:#}. Lower plugins.instances",
                options.instances
            )
        })?;
        let code = CodeCache::open(&wasm, options.cache.as_deref())?;
        let ticker = Ticker::start(wasm.clone())
            .map_err(|error| format!("cannot start the epoch thread: {error}"))?;
        Ok(Engine {
            wasm,
            code: Arc::new(code),
            _ticker: Arc::new(ticker),
        })
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    pub(crate) fn code(&self) -> &CodeCache {
        &self.code
    }

    /// Instances that the pool has given out, to all plugins together.
    pub(crate) fn instances_in_use(&self) -> usize {
        let metrics = self.wasm.pooling_allocator_metrics();
        let in_use = metrics.map_or(0, |metrics| metrics.component_instances());
        usize::try_from(in_use).unwrap_or(usize::MAX)
    }
}

fn engine_config(options: &EngineOptions) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    let n = options.instances.max(1);
    pool.total_component_instances(n)
        .total_core_instances(n.saturating_mul(4))
        .total_memories(n)
        .total_tables(n.saturating_mul(2))
        .total_stacks(n)
        .max_core_instances_per_component(8)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .max_memory_size(options.max_memory)
        .table_elements(10_000)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(None)
        .memory_init_cow(true);
    config
}

/// Advances the epoch from a thread of its own: a tokio task might not run while a guest does.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: wasmtime::Engine) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("epochs".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    engine.increment_epoch();
                }
            })?;
        Ok(Ticker {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the ticker would already have been printed.
            let _ = thread.join();
        }
    }
}
