//! The types of an exchange: what the proxy hands to plugins and what it gets back.
//!
//! The proxy and the runtime of plugins both use these types, so they belong to neither. This crate owns plain data and
//! one port, [`Outbound`]. It must not know connections, routes, configuration or WebAssembly.

mod caller;
mod decision;
mod exchange;
mod outbound;
mod trail;

pub use caller::{Caller, ClientCertificate};
pub use decision::{Outcome, Refusal, RefusalReason, Reply};
pub use exchange::{Exchange, ResponseHead, Side};
pub use outbound::{Call, Outbound, OutboundError, OutboundFuture};
pub use portcullis_syntax::{Target, TargetError};
pub use trail::{Cost, Facts, Ids, Open, Step, Trail, Try, What};
