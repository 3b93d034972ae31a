//! Active checks: a server that is not well gets no request, and gets them again when it is.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portcullis_tests::client::load::Load;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::peer;
use portcullis_tests::server::ANY;
use portcullis_tests::upstream::moody::{Moody, mute};

use super::{ask, counts, server, servers_of, state, toml, until};

/// Quick, and sure on a busy machine: a check may take long, and one that fails counts alone.
const QUICK: &str = "every = \"50ms\", timeout = \"5s\", up = 2, down = 2";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_it_is_unwell_gets_no_request_until_it_is_well() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two, "path = \"/health\"")).await;
    let load = Load::start(2, &ask(&gateway));
    until("both are up", async || both_up(&gateway, &one, &two).await).await;
    two.health(503);
    until("two is down", async || {
        state(&gateway, two.address()).await == "down"
    })
    .await;
    let before = two.served();
    assert_eq!(counts(&gateway, 20).await.get("two"), None);
    let shown = servers_of(&gateway, "pair").await;
    assert_eq!(shown[&two.address().to_string()]["why"], "status 503");
    assert!(
        gateway
            .metric("portcullis_servers{state=\"down\",upstream=\"pair\"}")
            .await
            == Some(1)
    );
    // What was in flight when it went down is all that it may have served since.
    assert!(two.served() <= before + 2, "{} {before}", two.served());
    two.health(204);
    until("two is up", async || {
        state(&gateway, two.address()).await == "up"
    })
    .await;
    assert_eq!(counts(&gateway, 20).await.len(), 2);
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(one.checked() > 2 && two.checked() > 4);
    assert!(
        gateway
            .metric("portcullis_health_checks_total{outcome=\"failed\",upstream=\"pair\"}")
            .await
            >= Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_and_comes_back_fails_no_request() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two, "path = \"/health\"")).await;
    let load = Load::start(2, &ask(&gateway));
    until("both are up", async || both_up(&gateway, &one, &two).await).await;
    let address = two.address();
    two.kill().await;
    until("two is down", async || {
        state(&gateway, address).await == "down"
    })
    .await;
    let two = Moody::start_at(address, "two")
        .await
        .expect("its port is free again");
    until("two serves", async || two.served() > 10).await;
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statuses_of_a_well_server_are_those_of_the_file() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    one.health(418);
    two.health(200);
    let keys = "path = \"/health\", status = [\"201\", \"410-420\"]";
    let gateway = Gateway::start(&pair(&one, &two, keys)).await;
    until("two is down", async || {
        state(&gateway, two.address()).await == "down"
    })
    .await;
    until("one is up", async || {
        state(&gateway, one.address()).await == "up"
    })
    .await;
    assert_eq!(server(&gateway, &[]).await, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_may_be_asked() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.health(500);
    let keys = format!("path = \"/health\", port = {}", two.address().port());
    let gateway = Gateway::start(&pair(&one, &one_more(&one).await, &keys)).await;
    until("it is down", async || {
        state(&gateway, one.address()).await == "down"
    })
    .await;
    assert_eq!(one.checked(), 0);
}

/// A second server where the first is, but for the address.
async fn one_more(one: &Moody) -> Moody {
    Moody::start_on(2, one.address().port(), "more").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_server_survives_a_reload() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.health(500);
    let text = pair(&one, &two, "path = \"/health\"");
    let gateway = Gateway::start(&text).await;
    until("two is down", async || {
        state(&gateway, two.address()).await == "down"
    })
    .await;
    // The checks of the next generation come too late to tell it anew.
    let seldom = text.replace("every = \"50ms\"", "every = \"1h\"");
    gateway.rewrite(&seldom);
    let (checked, reloaded) = (two.checked(), gateway.admin("POST", "/reload").await);
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    assert_eq!(state(&gateway, two.address()).await, "down");
    until("the new checks", async || two.checked() > checked).await;
    // One task checks, not one per generation: an hour passes before the next.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let settled = two.checked();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(two.checked(), settled);
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_checks_ask_for_a_connection_and_no_more() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let gateway = Gateway::start(&pair(&one, &two, "kind = \"tcp\"")).await;
    until("both are up", async || both_up(&gateway, &one, &two).await).await;
    let address = two.address();
    two.kill().await;
    until("two is down", async || {
        state(&gateway, address).await == "down"
    })
    .await;
    assert_eq!(one.checked() + one.served(), 0, "no request is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_a_check_is_down() {
    let one = Moody::start("one").await;
    let two = mute(ANY).await.expect("loopback has free ports");
    let addresses = format!("\"{}\", \"{}\"", one.address(), two.address());
    let health = format!("health = {{ {QUICK} }}").replace("5s", "300ms");
    let gateway = Gateway::start(&toml(&addresses, &health)).await;
    until("two is down", async || {
        state(&gateway, two.address()).await == "down"
    })
    .await;
    let shown = servers_of(&gateway, "pair").await;
    let why = shown[&two.address().to_string()]["why"].clone();
    assert_eq!(why, "no answer within 300ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_checks_ask_the_health_service_of_a_real_grpc_server() {
    let (serving, address) = grpc("game.Raids");
    let (other, unwell) = grpc("game.Other");
    let keys = "kind = \"grpc\", service = \"game.Raids\"";
    let health = format!("health = {{ {keys}, {QUICK} }}");
    let gateway = Gateway::start(&toml(&format!("\"{address}\", \"{unwell}\""), &health)).await;
    until("it serves", async || state(&gateway, address).await == "up").await;
    until("it knows no such service", async || {
        state(&gateway, unwell).await == "down"
    })
    .await;
    let shown = servers_of(&gateway, "pair").await;
    assert_eq!(shown[&unwell.to_string()]["why"], "grpc-status 5");
    drop((serving, other));
    until("it is gone", async || {
        state(&gateway, address).await == "down"
    })
    .await;
}

/// Killed with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// grpcio, with a health service that knows `service`; prints the port it took.
fn grpc(service: &str) -> (Process, SocketAddr) {
    let script = r#"
import sys, grpc
from concurrent import futures
known = sys.argv[1]
def check(request, context):
    asked = request[2:].decode() if request else ""
    if asked != known:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\x08\x01"
handler = grpc.method_handlers_generic_handler(
    "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((handler,))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"#;
    let mut child = Command::new(peer::python())
        .args(["-c", script, service])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut port = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut port)
        .expect("it prints its port");
    let port: u16 = port
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("no port: {port:?}"));
    (Process(child), SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn both_up(gateway: &Gateway, one: &Moody, two: &Moody) -> bool {
    state(gateway, one.address()).await == "up" && state(gateway, two.address()).await == "up"
}

fn pair(one: &Moody, two: &Moody, keys: &str) -> String {
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    toml(&servers, &format!("health = {{ {keys}, {QUICK} }}"))
}
