//! Servers to stand behind the gateway in tests: one that repeats what it saw, one that records every byte.

pub mod canned;
pub mod echo;
pub mod moody;
pub mod recorder;
pub mod strict;
