//! Serving: listeners and worker threads, and what explains a request instead of serving it.

pub mod audit;
pub mod explain;
pub(crate) mod server;
