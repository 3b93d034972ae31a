//! WebSocket handshakes, plugins' calls and mirrored copies are sent as forwarded requests are: within the circuit
//! breaker, the bulkhead and the retry budget of their upstream.

use std::net::SocketAddr;

use portcullis_tests::client::Answer;
use portcullis_tests::client::websocket::Socket;
use portcullis_tests::gateway::{Gateway, Setup, guest};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::sockets::Sockets;

use super::{hold, refused, toml};

const STATE: &str = "portcullis_breaker_state{upstream=\"u\"}";
const IN_FLIGHT: &str = "portcullis_bulkhead_in_flight{name=\"u\",of=\"upstream\"}";
const SENT: &str = "portcullis_retries_total{outcome=\"sent\",upstream=\"u\"}";
const DENIED: &str = "portcullis_retries_total{outcome=\"denied\",upstream=\"u\"}";
/// A share of the requests, and nothing besides.
const SHARE: &str = "retry_budget = { share = \"20%\", min_per_second = 0 }";

/// The answer to a handshake that opens no WebSocket.
async fn declined(gateway: &Gateway, target: &str) -> Answer {
    let opened = Socket::open(gateway.listen.http, target, &[]).await;
    opened.expect_err("no WebSocket")
}

/// The same routes, and `/calls`, whose handler asks `u` and says what came of it.
fn with_calls(servers: &[SocketAddr], keys: &str, path: &str) -> String {
    format!(
        "{}\n\n[plugin.relay]\ncomponent = \"relay.wasm\"\n\
         grants = {{ upstreams = [{{ name = \"u\", paths = [\"/**\"] }}], calls = 8 }}\n\
         settings.calls = [[\"u\", \"{path}\"]]\n\n\
         [[route]]\nname = \"calls\"\npath = \"/calls\"\npublic = true\nplugins = [\"relay\"]\n",
        toml(servers, keys, "")
    )
}

async fn start_with_calls(servers: &[SocketAddr], keys: &str, path: &str) -> Gateway {
    let text = with_calls(servers, keys, path);
    let setup = Setup::new(&text).plugin("relay.wasm", guest("relay.wasm"));
    setup.start().await
}

/// Addresses that nobody listens at.
async fn gone<const N: usize>() -> [SocketAddr; N] {
    let mut addresses = Vec::new();
    for _ in 0..N {
        let echo = Echo::start("gone").await;
        addresses.push(echo.address());
        echo.kill().await;
    }
    addresses.try_into().expect("as many as were asked for")
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_fail_open_the_breaker_and_an_open_breaker_stops_handshakes() {
    let echo = Echo::start("echo").await;
    let keys = "breaker = { min_requests = 3, open_for = \"1h\" }";
    let gateway = Gateway::start(&toml(&[echo.address()], keys, "")).await;
    for _ in 0..3 {
        assert_eq!(declined(&gateway, "/?status=500").await.status, 500);
    }
    gateway.metric_is(STATE, 2).await;
    refused(&declined(&gateway, "/").await, 503, "circuit_open");
    refused(&gateway.get("/", &[]).await, 503, "circuit_open");
    assert_eq!(echo.served(), 3, "nothing came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_takes_a_place_in_the_bulkhead_and_an_open_socket_gives_it_back() {
    let (echo, sockets) = (Echo::start("echo").await, Sockets::start().await);
    let keys = "max_in_flight = 1";
    let gateway = Gateway::start(&toml(&[echo.address()], keys, "")).await;
    let held = hold(&gateway, "/?delay=60000").await;
    gateway.metric_is(IN_FLIGHT, 1).await;
    refused(&declined(&gateway, "/").await, 503, "upstream_busy");
    assert_eq!(echo.served(), 1);
    drop(held);
    let server = sockets.address().parse().expect("an address");
    let gateway = Gateway::start(&toml(&[server], keys, "")).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let socket = Socket::open(gateway.listen.http, "/echo", &[]).await;
        open.push(socket.expect("the place is free again"));
        gateway.metric_is(IN_FLIGHT, 0).await;
    }
    assert!(open[0].echoes("still open").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_sent_again_within_the_retry_budget_only() {
    const HANDSHAKES: u64 = 50;
    let gateway = Gateway::start(&toml(&gone::<2>().await, SHARE, "")).await;
    for _ in 0..HANDSHAKES {
        let answer = declined(&gateway, "/").await;
        refused(&answer, 502, "upstream_unreachable");
    }
    budget_was_kept(&gateway, HANDSHAKES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_plugins_fail_at_an_open_breaker_and_open_it() {
    let echo = Echo::start("echo").await;
    let keys = "breaker = { min_requests = 3, open_for = \"1h\" }";
    let gateway = start_with_calls(&[echo.address()], keys, "/?status=500").await;
    for _ in 0..3 {
        let answer = gateway.get("/calls", &[]).await;
        assert!(answer.text().contains("500 with"), "{answer:?}");
    }
    gateway.metric_is(STATE, 2).await;
    let answer = gateway.get("/calls", &[]).await;
    assert!(answer.text().contains("circuit_open"), "{answer:?}");
    assert_eq!(echo.served(), 3, "nothing came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_plugins_take_a_place_in_the_bulkhead() {
    let echo = Echo::start("echo").await;
    let gateway = start_with_calls(&[echo.address()], "max_in_flight = 1", "/").await;
    let held = hold(&gateway, "/?delay=60000").await;
    gateway.metric_is(IN_FLIGHT, 1).await;
    let answer = gateway.get("/calls", &[]).await;
    assert!(answer.text().contains("upstream_busy"), "{answer:?}");
    drop(held);
    gateway.metric_is(IN_FLIGHT, 0).await;
    let answer = gateway.get("/calls", &[]).await;
    assert!(answer.text().contains("200 with"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_plugins_are_sent_again_within_the_retry_budget_only() {
    const CALLS: u64 = 50;
    let gateway = start_with_calls(&gone::<2>().await, SHARE, "/").await;
    for _ in 0..CALLS {
        assert_eq!(gateway.get("/calls", &[]).await.status, 200);
    }
    budget_was_kept(&gateway, CALLS).await;
}

/// Some were sent again, no more than a fifth, and the rest was denied.
async fn budget_was_kept(gateway: &Gateway, requests: u64) {
    let sent = gateway.metric(SENT).await.unwrap_or_default();
    let denied = gateway.metric(DENIED).await.unwrap_or_default();
    assert!(sent > 0 && sent <= requests / 5, "{sent} of {requests}");
    assert_eq!(sent + denied, requests, "each wanted a second try");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_plugin_goes_on_to_a_server_that_can_be_reached() {
    let echo = Echo::start("echo").await;
    let [gone] = gone::<1>().await;
    let plenty = "retry_budget = { share = \"100%\", min_per_second = 1000 }";
    let gateway = start_with_calls(&[gone, echo.address()], plenty, "/").await;
    for _ in 0..6 {
        let answer = gateway.get("/calls", &[]).await;
        assert!(answer.text().contains("200 with"), "{answer:?}");
    }
    assert_eq!(echo.served(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrored_copies_stay_within_the_breaker_of_their_upstream() {
    let (echo, copies) = (Echo::start("echo").await, Echo::start("copies").await);
    let text = format!(
        "{}\nmirror = {{ upstream = \"copies\", share = \"100%\" }}\n\n\
         [upstream.copies]\nservers = [\"{}\"]\neject = {{ base = \"0s\" }}\n\
         breaker = {{ min_requests = 3, open_for = \"1h\" }}\n",
        toml(&[echo.address()], "", ""),
        copies.address()
    );
    let gateway = Gateway::start(&text).await;
    for sent in 1..=3 {
        assert_eq!(gateway.get("/?status=500", &[]).await.status, 500);
        let mirrored = "portcullis_mirrored_total{outcome=\"sent\",route=\"all\"}";
        gateway.metric_is(mirrored, sent).await;
    }
    let state = "portcullis_breaker_state{upstream=\"copies\"}";
    gateway.metric_is(state, 2).await;
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    let failed = "portcullis_mirrored_total{outcome=\"failed\",route=\"all\"}";
    gateway.metric_is(failed, 1).await;
    assert_eq!((echo.served(), copies.served()), (4, 3));
}
