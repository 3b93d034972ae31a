//! What becomes of trouble: in a server, in an upstream, on a route, in the gateway itself.

mod breaker;
mod bulkheads;
mod deadlines;
mod overload;
mod processes;
mod retries;
mod senders;

use std::net::SocketAddr;

use portcullis_tests::client::{Answer, Client, plain};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::wait::until;
use tokio::task::JoinHandle;

/// Servers are left alone only where that is what a test is about.
const NEVER_EJECT: &str = "eject = { base = \"0s\" }";

/// One upstream of these servers, and a public route `/**` to it.
fn toml(servers: &[SocketAddr], upstream: &str, route: &str) -> String {
    let servers: Vec<_> = servers.iter().map(|s| format!("\"{s}\"")).collect();
    let servers = servers.join(", ");
    format!(
        "[upstream.u]\nservers = [{servers}]\n{NEVER_EJECT}\n{upstream}\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"u\"\n{route}\n"
    )
}

/// A refusal with its reason; one with 503 says when to come back.
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["type"], reason, "{answer:?}");
    if status == 503 {
        let seconds = answer.header("retry-after");
        let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
        assert!(seconds.is_some_and(|s| s > 0), "{answer:?}");
    }
}

/// A request under way on a connection of its own; aborting it closes the connection.
fn begin(address: SocketAddr, target: &str) -> JoinHandle<Answer> {
    let target = target.to_owned();
    tokio::spawn(async move { plain::once(address, "GET", &target, &[], b"").await })
}

/// A request that was sent and whose answer nobody reads.
async fn hold(gateway: &Gateway, target: &str) -> Client {
    let client = Client::connect(gateway.listen.http).await;
    let mut client = client.expect("the gateway listens");
    let request = plain::request("GET", target, &[], b"");
    client.write(&request).await.expect("it is connected");
    client
}
