//! What a plugin author sees: four traits, plain types, one attribute.
//!
//! A plugin is a type with a trait of its kind ([`Authenticator`], [`Authorizer`], [`Filter`], [`Handler`])
//! and `#[portcullis_sdk::plugin]` on the `impl`:
//!
//! ```
//! use portcullis_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     agent: String,
//! }
//!
//! struct Gate {
//!     agent: String,
//! }
//!
//! #[portcullis_sdk::plugin]
//! impl Filter for Gate {
//!     type Settings = Settings;
//!
//!     fn configure(settings: Settings) -> Result<Self, String> {
//!         Ok(Gate { agent: settings.agent })
//!     }
//!
//!     fn on_request(&self, x: &mut Exchange) -> Result<Verdict, Fault> {
//!         if x.header("user-agent").as_deref() != Some(self.agent.as_str()) {
//!             return Err(Refusal::forbidden().because("another user agent").into());
//!         }
//!         x.set_header("x-gate", "passed")?;
//!         Ok(Verdict::Next)
//!     }
//! }
//! ```
//!
//! The attribute adds the component's exports when the target is WebAssembly. Natively the same code
//! type-checks and runs against [`testing::Fake`], so a plugin's logic is tested with plain `cargo test`.

#![warn(missing_docs)]

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[path = "glue.rs"]
pub mod __glue;
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[path = "schema.rs"]
pub mod __schema;
mod bindings;
pub mod clock;
pub mod crypto;
mod exchange;
mod kinds;
pub mod log;
pub mod media;
mod query;
mod refusal;
mod reply;
pub mod settings;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod upstream;
mod wire;

pub use bindings::host::portcullis::plugin::types::{Denied, Side};
pub use exchange::{Exchange, Message};
pub use kinds::{Authenticator, Authorizer, Caller, Filter, Handler, Phases};
pub use portcullis_sdk_macros::plugin;
pub use query::QueryError;
pub use refusal::{Fault, Refusal};
pub use reply::{Reply, Verdict};
pub use settings::NoSettings;

/// The crates that appear in this SDK's own signatures, so that a plugin needs no version of its own.
pub use {schemars, serde, serde_json};

/// Everything a plugin usually needs: `use portcullis_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Authenticator, Authorizer, Caller, Exchange, Fault, Filter, Handler, NoSettings, Phases,
        Refusal, Reply, Verdict, clock, crypto, log, settings, state, upstream,
    };
    // The derive names its crate, `schemars`: with it in scope a plugin needs no dependency of its own.
    pub use schemars::{self, JsonSchema};
    pub use serde::Deserialize;
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And those of the guide.
#[cfg(doctest)]
#[doc = include_str!("../GUIDE.md")]
struct Guide;
