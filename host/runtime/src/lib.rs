//! A plugin's life: discover → compile → verify → configure → serve → retire.
//!
//! This floor owns wasmtime and what a guest may see and spend. It must not know routes, connections or
//! gateway.toml's text; the floor above hands it an [`Exchange`] and gets a decision back.

mod contract;
mod engine;
mod error;
mod exchange;
mod host;
mod instance;
mod life;
mod outbound;
mod plugin;
mod target;
mod wasi;

pub use engine::{EngineOptions, Runtime};
pub use error::{CallError, LoadError};
pub use exchange::{Caller, Exchange, Outcome, Refusal, RefusalReason, Reply, ResponseHead, Side};
pub use life::{Artifact, Compiled, Configured, Digest, Kind, SecretText, Spec, Verified};
pub use outbound::{Call, Outbound, OutboundError, OutboundFuture};
pub use plugin::{Phases, Plugin, Slot};
pub use target::{Target, TargetError};
