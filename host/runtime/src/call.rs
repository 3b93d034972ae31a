//! One call into a plugin: its instance, the store that bounds it, and the bill of what it used.

pub(crate) mod bill;
pub(crate) mod instance;
pub(crate) mod phase;
pub(crate) mod store;
pub(crate) mod worlds;
