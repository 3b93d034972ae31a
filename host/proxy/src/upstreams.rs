//! Servers: which there are, which is next, the connections to them, and what guards them.

pub(crate) mod connection;
pub(crate) mod multiplexed;
pub mod servers;
pub mod shield;
