//! The pipeline: the stages in their order (`exchange.rs`), and the generation of routes that it runs on.

pub(crate) mod exchange;
pub(crate) mod gate;
pub(crate) mod generation;
pub(crate) mod metrics;
