//! Plugins that mean harm, or do it: each harms its own request and no other.

mod attacks;
mod grants;
mod ground;
mod instances;
mod limits;
mod load;
mod open;
