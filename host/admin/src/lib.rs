//! The admin listener: probes, metrics, what serves, and what an operator may do to it.
//!
//! `pages.rs` is its one list of operations; the router, the roles and the OpenAPI document are made of it. The listener
//! knows the gateway and nothing of the process around it, which it reaches through [`Control`] and [`Status`]. Nothing
//! here shows a setting's value or a secret.

mod abilities;
mod answer;
mod body;
mod call;
mod caller;
mod client;
mod control;
mod gateway;
mod guard;
mod history;
mod listener;
mod openapi;
mod operation;
mod pages;
mod refusal_feed;
mod slots;
mod status;

pub use self::abilities::{Abilities, limits};
pub use self::client::{AskError, Client, Page};
pub use self::control::{Action, ActionError, ActionResult, Control, LogLevel};
pub use self::gateway::First;
pub use self::history::{Became, Change, Entry, History, Standing};
pub use self::listener::Admin;
pub use self::status::{RefusedPlugins, StaleFiles, Status};
