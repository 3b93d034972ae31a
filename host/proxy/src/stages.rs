//! The stages of a request, one file or folder each. A stage takes the part of the route that is its own and
//! must not know the route, the generation or the other stages' order.

pub(crate) mod admit;
pub(crate) mod answer;
pub(crate) mod cache;
pub(crate) mod calls;
pub(crate) mod chain;
pub(crate) mod clearance;
pub(crate) mod content;
pub(crate) mod early;
pub(crate) mod edge;
pub(crate) mod ending;
pub(crate) mod filters;
pub(crate) mod forward;
pub(crate) mod forwarded;
pub mod given;
pub(crate) mod grpc;
pub mod limits;
pub(crate) mod mirror;
pub(crate) mod overload;
pub(crate) mod peer;
pub(crate) mod permit;
pub(crate) mod readable;
pub mod router;
pub(crate) mod tunnel;
