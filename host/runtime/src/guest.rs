//! What a guest can reach: the exchange it was lent, its log, a clock, granted upstreams and stores. Nothing else.
//!
//! Everything a guest says is text from a stranger: header names and values go through fallible constructors,
//! framing and Host stay the gateway's, and each call is counted against the plugin's budget.

mod checked;
pub(crate) mod contract;
pub(crate) mod decision;
mod exchange;
pub(crate) mod http;
pub(crate) mod linker;
pub(crate) mod meter;
pub(crate) mod resources;
pub(crate) mod session;
mod state;
mod telemetry;
mod upstream;
pub(crate) mod wasi;
