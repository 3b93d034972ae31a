//! What a guest can reach: the exchange it was lent, its log, a clock, cryptography, granted upstreams and stores. Nothing else.
//!
//! Everything a guest says is text from a stranger: header names and values go through fallible constructors,
//! framing and Host stay the gateway's, and each call is counted against the plugin's budget.
//!
//! ```text
//! linker                                  every host function, for all plugins
//! exchange upstream state telemetry crypto  the contract's functions, written on the session
//! wasi/cli wasi/clocks_and_random http/incoming
//! session                                 what the host remembers for one instance
//! meter wasi/printed http/outgoing        parts of the session, which do not know it
//! decision checked                        checks of what a guest says
//! contract ▶ resources                    bindings of wit/, and the host types in them
//! ```

mod checked;
pub(crate) mod contract;
mod crypto;
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
