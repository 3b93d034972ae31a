//! One call into a plugin: its instance, the store that bounds it, and the bill of what it used.
//!
//! Nothing here knows how a component was loaded or which plugin on which route makes the call.

pub(crate) mod bill;
pub(crate) mod instance;
pub(crate) mod phase;
pub(crate) mod store;
pub(crate) mod worlds;
