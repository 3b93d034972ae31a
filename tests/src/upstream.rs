//! Servers to stand behind the gateway in tests: one that repeats what it saw, one that records every byte,
//! one that says what it is told to.

pub mod canned;
pub mod echo;
pub mod events;
pub mod moody;
pub mod mute;
pub mod negotiator;
pub mod origin;
pub mod page;
pub mod reader;
pub mod recorder;
pub mod sockets;
pub mod strict;
