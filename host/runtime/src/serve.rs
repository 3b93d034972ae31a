//! A plugin in service: what its instances are made from, and its work on routes.
//!
//! A post is one plugin on one route. It takes an instance from the plugin's template, or one that it kept, and enters it.

mod backup;
mod concurrency;
pub(crate) mod plugin;
pub(crate) mod post;
pub(crate) mod template;
