//! The gateway from outside: the real binary between real servers and clients. Each test is a sentence of law.

mod balance;
mod bill;
mod cache;
mod check;
mod demo;
mod demo_plugins;
mod edge;
mod events;
mod forwarding;
mod grpc;
mod h1_vectors;
mod h2_upstream;
mod h2_vectors;
mod hostile;
mod journal;
mod limits;
mod reload;
mod resilience;
mod routing;
mod standard;
mod streaming;
mod swap;
mod tls;
mod tls_upstream;
mod upstreams;
mod websocket;
