//! What of a request is believed: who asks, how it came, which host and which path it means.
//!
//! Each row of these tables once widened access in this gateway or in another one.

mod client;
mod fields;
mod hosts;
mod methods;
mod paths;
mod upstreams;

use portcullis_tests::gateway::Setup;

/// A gateway that trusts its peer, which is the test.
fn behind_a_proxy(toml: &str) -> Setup {
    Setup::new(toml).listen("trusted_proxies = [\"127.0.0.0/8\"]")
}
