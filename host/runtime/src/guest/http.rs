//! Standard guests: a `wasi:http/proxy@0.2` component as a handler, unmodified.

pub(crate) mod incoming;
pub(crate) mod outgoing;
