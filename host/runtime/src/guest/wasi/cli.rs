//! `wasi:cli`: no environment, no arguments, no input, no terminal. Only stderr leads somewhere.

use wasmtime::component::{Linker, Resource, ResourceType, WasmList};
use wasmtime_wasi_io::bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, StreamError, StreamResult,
};

use crate::guest::session::Session;
use crate::guest::wasi::interfaces::{STDERR, VERSION, WRITE};
use crate::guest::wasi::printed::{PAGE, Stdout};

struct TerminalInput;
struct TerminalOutput;

/// An input that has ended.
struct Empty;

pub(super) fn link(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    environment(linker)?;
    streams(linker)?;
    terminals(linker)
}

fn environment(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
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
    Ok(())
}

fn streams(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
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
            let stream: DynOutputStream = Box::new(Stdout);
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
    Ok(())
}

/// Stderr without a stream.
pub(super) fn link_stderr_of_copies(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    linker.instance(STDERR)?.func_wrap(
        WRITE,
        |mut store, (text,): (WasmList<u8>,)| -> wasmtime::Result<()> {
            let text = text.as_le_slice(&store);
            let length = text.len();
            let held = text[..length.min(PAGE)].to_vec();
            store.data_mut().print(&held, length)
        },
    )
}

fn terminals(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
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
    Ok(())
}

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
