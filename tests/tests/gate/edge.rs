//! What the gateway does at its edge: who may come in, what it answers itself, what it does to answers that leave.

mod access;
mod answers;
mod compress;
mod cors;
mod limits;
mod mirror;
mod split;

use portcullis_tests::gateway::Setup;

/// Believes `X-Forwarded-For`, so that a test can come from any address.
fn from_anywhere(toml: &str) -> Setup {
    Setup::new(toml).listen("trusted_proxies = [\"127.0.0.1\"]")
}

/// A public route with these keys.
fn route(name: &str, path: &str, keys: &str) -> String {
    format!("[[route]]\nname = \"{name}\"\npath = \"{path}\"\npublic = true\n{keys}\n\n")
}

fn upstream(name: &str, address: std::net::SocketAddr) -> String {
    format!("[upstream.{name}]\nservers = [\"{address}\"]\n\n")
}

/// The value of a metric; 0 while it was never counted.
async fn metric(gateway: &portcullis_tests::gateway::Gateway, name: &str) -> u64 {
    gateway.metric(name).await.unwrap_or(0)
}
