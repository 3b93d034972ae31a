//! Configured once, fresh every time: the memory of a configured instance becomes a component of its own, so that
//! each fresh instance is born configured, in copy-on-write pages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use wasmtime::component::{Component, Instance, Lift, WasmList};
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::guest::session::Session;
use crate::life::lean::lean;
use crate::life::runtime::Runtime;
use crate::spec::Copying;
use crate::text::one_line;

/// How far a thread that compiles snapshots steps back behind those that serve (nice(2); 0 to 19).
const NICE: i32 = 5;

/// The export that instrumenting adds.
pub(crate) const ACCESS: &str = "wasmtime:wizer/";

/// What a snapshot is taken from.
#[derive(Clone)]
pub(crate) struct Source {
    /// The component as it was read.
    pub(crate) wasm: Arc<[u8]>,
    /// Why no snapshot can be taken of it.
    pub(crate) opaque: Option<Arc<str>>,
}

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    wizer.keep_init_func(true);
    wizer
}

/// The component with exports that let the host read its globals and memory.
pub(crate) fn instrument(wasm: &[u8]) -> Result<Vec<u8>, String> {
    // It has assertions about what it was made for; a component that breaks one has no snapshot.
    let done = catch_unwind(AssertUnwindSafe(|| {
        wizer().instrument_component(wasm).map(|(_, bytes)| bytes)
    }));
    match done {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err("its shape is not known to the snapshot".into()),
    }
}

/// Takes the snapshot of a configured instance of the instrumented component.
pub(crate) async fn take(
    wasm: Arc<[u8]>,
    store: Store<Session>,
    instance: Instance,
) -> Result<Vec<u8>, String> {
    let session = store.data();
    if session.drew_random && session.spec.copying == Copying::Auto {
        return Err("it drew random numbers while configuring, which copies would share; where that is harmless (seeds of hash maps), write `snapshot = \"always\"`".into());
    }
    if !session.table.is_empty() {
        return Err("it holds a stream of the host; does it print while configuring?".into());
    }
    let read = async move {
        let (context, _) = wizer().instrument_component(&wasm)?;
        let mut reader = Reader { store, instance };
        wizer().snapshot_component(&context, &mut reader).await
    };
    // A task of its own, for the same reason as above.
    match tokio::spawn(read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err("its memory could not be read".into()),
    }
}

/// A snapshot as machine code.
pub(crate) struct Machine {
    pub(crate) component: Component,
    /// Bytes of the component.
    pub(crate) size: usize,
    /// Why it was not made lean.
    pub(crate) whole: Option<String>,
}

/// Makes a snapshot lean and compiles it, behind everything else: its plugin serves without it meanwhile.
pub(crate) async fn compile(runtime: &Runtime, bytes: Vec<u8>) -> Result<Machine, String> {
    let place = runtime.compiling.acquire().await;
    let _place = place.map_err(|error| error.to_string())?;
    let (done, compiled) = oneshot::channel();
    let engine = runtime.engine.wasm().clone();
    // A thread of its own, because only a thread can be nice, and never again not nice.
    let thread = std::thread::Builder::new().name("snapshot".into());
    let work = move || {
        // Refused: then it is compiled like everything else.
        let _ = rustix::process::nice(NICE);
        // No receiver: the plugin has retired.
        let _ = done.send(machine(&engine, &bytes));
    };
    thread.spawn(work).map_err(|error| error.to_string())?;
    match compiled.await {
        Ok(compiled) => compiled.map_err(|error| one_line(&error)),
        Err(_) => Err("the compiler failed".into()),
    }
}

fn machine(engine: &Engine, snapshot: &[u8]) -> wasmtime::Result<Machine> {
    let compile = |bytes: &[u8], whole| {
        let component = Component::from_binary(engine, bytes)?;
        let size = bytes.len();
        Ok(Machine {
            component,
            size,
            whole,
        })
    };
    let lean = lean(snapshot).and_then(|bytes| {
        let compiled: wasmtime::Result<Machine> = compile(&bytes, None);
        compiled.map_err(|error| one_line(&error))
    });
    lean.or_else(|why| compile(snapshot, Some(why)))
}

/// Reads through the exports that `instrument` added. Their names and types are its own.
struct Reader {
    store: Store<Session>,
    instance: Instance,
}

impl Reader {
    async fn call<R: Lift + 'static>(&mut self, interface: &str, function: &str) -> R {
        let store = &mut self.store;
        // Within ticks that no reading of memory needs.
        store.data_mut().meter.ticks = 0;
        store.set_epoch_deadline(1);
        let outer = self.instance.get_export_index(&mut *store, None, interface);
        let index = self
            .instance
            .get_export_index(&mut *store, outer.as_ref(), function)
            .expect("the instrumented component exports it");
        let function = self
            .instance
            .get_typed_func::<(), (R,)>(&mut *store, index)
            .expect("the type that wizer gave it");
        let (value,) = function
            .call_async(&mut *store, ())
            .await
            .expect("it only reads a global or a memory");
        value
    }
}

impl ComponentInstanceState for Reader {
    async fn call_func_ret_list_u8(
        &mut self,
        interface: &str,
        function: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        let list: WasmList<u8> = self.call(interface, function).await;
        contents(list.as_le_slice(&self.store));
    }

    async fn call_func_ret_s32(&mut self, interface: &str, function: &str) -> i32 {
        self.call(interface, function).await
    }

    async fn call_func_ret_s64(&mut self, interface: &str, function: &str) -> i64 {
        self.call(interface, function).await
    }

    async fn call_func_ret_f32(&mut self, interface: &str, function: &str) -> u32 {
        self.call::<f32>(interface, function).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, interface: &str, function: &str) -> u64 {
        self.call::<f64>(interface, function).await.to_bits()
    }
}
