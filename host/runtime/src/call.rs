//! One call of a plugin: an instance, what it may use, and what it used.

pub(crate) mod bill;
pub(crate) mod instance;
