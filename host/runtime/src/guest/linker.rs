//! The linker: every host function that a component may import, for all plugins at once.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::guest::contract::{
    clock, crypto, exchange, identity, outcome, state, telemetry, types, upstream,
};
use crate::guest::http::incoming;
use crate::guest::session::Session;
use crate::guest::wasi;

/// Links everything. What a component may import of it is decided when it is verified.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Session>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    incoming::link(&mut linker)?;
    types::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    exchange::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    upstream::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    state::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    outcome::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    identity::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    telemetry::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    clock::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    crypto::add_to_linker::<_, HasSelf<Session>>(&mut linker, |s| s)?;
    Ok(linker)
}
