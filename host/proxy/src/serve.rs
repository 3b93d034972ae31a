//! Serving: listeners and worker threads, and what explains a request instead of serving it.

mod connection;
pub mod explain;
pub(crate) mod scrape;
pub(crate) mod server;
