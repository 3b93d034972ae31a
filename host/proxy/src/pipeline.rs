//! The pipeline: the stages in their order (`exchange.rs`, open it first), and the generation of routes that it runs on.

pub mod audit;
mod chains;
pub(crate) mod course;
pub(crate) mod exchange;
mod find;
pub(crate) mod gate;
pub(crate) mod generation;
mod leave;
mod limits;
pub(crate) mod metrics;
mod respond;
pub(crate) mod response_body;
pub(crate) mod route;
pub(crate) mod worker;
