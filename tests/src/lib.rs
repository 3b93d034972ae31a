//! Drives the gateway from outside: services to stand behind it, clients to stand before it, and a harness
//! that runs the real binary between them. Knows the command line, gateway.toml and HTTP; imports nothing
//! of the gateway itself.

pub mod client;
pub mod collector;
pub mod demo;
pub mod dns;
pub mod gateway;
pub mod pager;
pub mod peer;
pub mod reply;
pub mod server;
pub mod telegram;
pub mod tls;
pub mod upstream;
pub mod wait;
