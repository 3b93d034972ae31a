//! A plugin in service: what its instances are made from, and its work on routes.

mod backup;
mod concurrency;
pub(crate) mod plugin;
pub(crate) mod post;
pub(crate) mod template;
