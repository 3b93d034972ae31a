//! The ground: words that every floor uses, and small rules of HTTP that need no connection.

pub(crate) mod alarm;
pub(crate) mod body;
pub(crate) mod clock;
pub(crate) mod deadline;
pub(crate) mod events;
pub(crate) mod fields;
pub mod refusal;
pub mod registry;
pub(crate) mod scratch;
pub(crate) mod secret;
pub(crate) mod sift;
pub(crate) mod trailers;
pub(crate) mod via;
