//! The wire: bytes of clients and servers, judged before they are messages, and TLS under them.

pub(crate) mod guard;
pub(crate) mod h2wire;
pub(crate) mod link;
pub(crate) mod metrics;
pub mod protocol;
pub mod tls;
