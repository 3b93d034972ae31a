//! A plugin's life: discover → compile → verify → configure → serve → retire.
//!
//! This floor owns wasmtime and what a guest may see and spend. It must not know routes, connections or
//! gateway.toml's text; the floor above hands it an [`Exchange`] and gets a decision back.
//!
//! A folder imports only from the folders below it:
//!
//! ```text
//! life/    a component becomes a plugin: artifact → compiled → verified → configured
//! serve/   a plugin in service: its template, and its work on a route (post)
//! call/    one call: an instance, the store that bounds it, the bill of what it used
//! guest/   what a guest can reach: the contract's host functions, WASI and wasi:http, over one session
//! ground   engine, state, spec, error, kind, digest, text
//! ```

mod call;
mod digest;
mod engine;
mod error;
mod guest;
mod kind;
mod life;
mod serve;
mod spec;
mod state;
mod text;

pub use call::bill::{Bill, Figures};
pub use call::phase::Phases;
pub use digest::Digest;
pub use engine::EngineOptions;
pub use engine::code::CodeSource;
pub use error::{CallError, LoadError};
pub use kind::Kind;
pub use life::artifact::Artifact;
pub use life::compiled::Compiled;
pub use life::configured::Configured;
pub use life::imports::Import;
pub use life::runtime::Runtime;
pub use life::schema::settings_schema;
pub use life::verified::Verified;

pub use serve::plugin::Plugin;
pub use serve::post::{Post, Slot};
pub use serve::template::Snapshot;
pub use spec::{
    Bucket, Budget, Copying, Grants, Imports, PathGrant, SecretText, Spec, UpstreamGrant,
};
pub use state::memory::Memory;
pub use state::{State, StateError, StateFuture, Taken};

/// The version of wasmtime that is built in.
pub const WASMTIME: &str = wasmtime_environ::VERSION;
