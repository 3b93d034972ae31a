//! Deny-all WASI: the interfaces that a std guest links against, each answering "nothing here".
//!
//! They are defined one by one, so that anything else a component imports fails at load with its WIT name. Not
//! wasmtime-wasi's own context: it would bring files, sockets and clocks to take away again, and building one
//! costs a system call per fresh instance.

mod clocks_and_random;
mod printed;

use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi_io::IoView;
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, StreamError, StreamResult,
};

pub(crate) use self::printed::{LAST_WORDS, Printed};
use crate::guest::session::Session;

/// The interfaces linked below, without version; all of WASI 0.2.
pub(crate) const GRANTED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
];

/// The version that the definitions carry; the linker matches any 0.2.
pub(crate) const VERSION: &str = "0.2.0";

struct TerminalInput;
struct TerminalOutput;

impl IoView for Session {
    fn table(&mut self) -> &mut wasmtime::component::ResourceTable {
        &mut self.table
    }
}

pub(crate) fn link(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    wasmtime_wasi_io::add_to_linker_async(linker)?;

    let mut environment = linker.instance(&format!("wasi:cli/environment@{VERSION}"))?;
    environment.func_wrap("get-environment", |mut store, ()| {
        store.data_mut().count()?;
        Ok((Vec::<(String, String)>::new(),))
    })?;
    environment.func_wrap("get-arguments", |mut store, ()| {
        store.data_mut().count()?;
        Ok((Vec::<String>::new(),))
    })?;
    environment.func_wrap("initial-cwd", |mut store, ()| {
        store.data_mut().count()?;
        Ok((None::<String>,))
    })?;

    linker
        .instance(&format!("wasi:cli/exit@{VERSION}"))?
        .func_wrap(
            "exit",
            |_, (_status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
                wasmtime::bail!("it called exit")
            },
        )?;

    linker
        .instance(&format!("wasi:cli/stdin@{VERSION}"))?
        .func_wrap("get-stdin", |mut store, ()| {
            let session: &mut Session = store.data_mut();
            session.count()?;
            let stream: DynInputStream = Box::new(Empty);
            Ok((session.table.push(stream)?,))
        })?;
    linker
        .instance(&format!("wasi:cli/stdout@{VERSION}"))?
        .func_wrap("get-stdout", |mut store, ()| {
            let session: &mut Session = store.data_mut();
            session.count()?;
            let stream: DynOutputStream = Box::new(printed::Stdout);
            Ok((session.table.push(stream)?,))
        })?;
    linker
        .instance(&format!("wasi:cli/stderr@{VERSION}"))?
        .func_wrap("get-stderr", |mut store, ()| {
            let session: &mut Session = store.data_mut();
            session.count()?;
            let stream: DynOutputStream = Box::new(session.stderr());
            Ok((session.table.push(stream)?,))
        })?;

    linker
        .instance(&format!("wasi:cli/terminal-input@{VERSION}"))?
        .resource(
            "terminal-input",
            ResourceType::host::<TerminalInput>(),
            |_, _| Ok(()),
        )?;
    linker
        .instance(&format!("wasi:cli/terminal-output@{VERSION}"))?
        .resource(
            "terminal-output",
            ResourceType::host::<TerminalOutput>(),
            |_, _| Ok(()),
        )?;
    linker
        .instance(&format!("wasi:cli/terminal-stdin@{VERSION}"))?
        .func_wrap("get-terminal-stdin", |mut store, ()| {
            store.data_mut().count()?;
            Ok((None::<Resource<TerminalInput>>,))
        })?;
    for name in ["stdout", "stderr"] {
        linker
            .instance(&format!("wasi:cli/terminal-{name}@{VERSION}"))?
            .func_wrap(&format!("get-terminal-{name}"), |mut store, ()| {
                store.data_mut().count()?;
                Ok((None::<Resource<TerminalOutput>>,))
            })?;
    }

    clocks_and_random::link(linker)
}

/// An input that has ended.
struct Empty;

#[wasmtime_wasi_io::async_trait]
impl Pollable for Empty {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi_io::async_trait]
impl InputStream for Empty {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}
