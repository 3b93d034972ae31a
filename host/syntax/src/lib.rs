//! Strict readers of what strangers send: request heads, header blocks, targets, hosts, forwarding headers.
//!
//! Each reader gives one meaning or none. What two programs could read in two ways is an error here, because the
//! gateway decides by one reading and an upstream acts on the other. This crate knows no connection, no route and no
//! configuration; it stands below all of them, so that it can be tested and mutated alone.

pub mod forwarding;
pub mod headers;
pub mod host;
pub mod hpack;
pub mod method;
pub mod path;
pub mod query;
pub mod target;
pub mod wire;

pub use host::Authority;
pub use path::{PathParameters, PathRules};
pub use target::{Target, TargetError};
