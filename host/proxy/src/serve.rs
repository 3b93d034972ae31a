//! Serving: listeners and worker threads, and what explains a request instead of serving it.

mod connection;
mod drain;
pub mod explain;
mod http1;
mod http2;
pub(crate) mod scrape;
pub(crate) mod server;
mod warm;
