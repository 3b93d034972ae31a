//! Servers: which there are, which is next, the connections to them, and what guards them.

pub(crate) mod added;
pub(crate) mod connection;
pub(crate) mod patience;
pub(crate) mod request_body;
pub(crate) mod response_body;
pub(crate) mod response_head;
pub(crate) mod send;
pub mod servers;
pub mod shield;
