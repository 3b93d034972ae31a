//! Deny-all WASI: the interfaces that a std guest links against, each answering "nothing here".
//!
//! They are defined one by one, so that anything else a component imports fails at load with its WIT name. Not
//! wasmtime-wasi's own context: it would bring files, sockets and clocks to take away again, and building one
//! costs a system call per fresh instance.

mod cli;
mod clocks_and_random;
pub(crate) mod interfaces;
pub(crate) mod printed;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_io::IoView;

use crate::guest::session::Session;

impl IoView for Session {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

pub(crate) fn link(linker: &mut Linker<Session>) -> wasmtime::Result<()> {
    wasmtime_wasi_io::add_to_linker_async(linker)?;

    cli::link(linker)?;
    cli::link_stderr_of_copies(linker)?;
    clocks_and_random::link(linker)
}
