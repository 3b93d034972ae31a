//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod attacks;
mod edges;
mod key_set;
mod keys;
mod kit;
mod mapping;
mod places;
mod secrets;
mod settings;
mod times;
mod vectors;
