//! Which server of an upstream is asked, and what becomes of one that is down.

mod discovery;
mod health;
mod latency;
mod outliers;
mod shares;
mod sticky;
mod zones;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::load::{Ask, Load};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::authorization;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait::until;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn round_robin_takes_turns() {
    let (one, two) = pair().await;
    let gateway = Gateway::start(&toml(&servers(&one, &two), "")).await;
    assert_eq!(counts(&gateway, 40).await, counted(20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weight_is_a_share() {
    let (one, two) = pair().await;
    let weighted = format!(
        "{{ address = \"{}\", weight = 3 }}, {{ address = \"{}\", weight = 1 }}",
        one.address(),
        two.address()
    );
    let gateway = Gateway::start(&toml(&weighted, "")).await;
    assert_eq!(counts(&gateway, 40).await, counted(30, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn least_connections_and_power_of_two_avoid_the_busy_server() {
    for balance in ["least_connections", "power_of_two"] {
        let (one, two) = pair().await;
        let toml = toml(&servers(&one, &two), &format!("balance = \"{balance}\""));
        let gateway = Gateway::start(&toml).await;
        let mut busy = Client::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        let slow = tokio::spawn(async move { busy.ask("GET", "/echo?delay=3000", &[], b"").await });
        until("it arrived", async || one.served() + two.served() > 0).await;
        let free = if one.served() == 0 { "one" } else { "two" };
        let seen = counts(&gateway, 20).await;
        assert_eq!(seen, BTreeMap::from([(free.to_owned(), 20)]), "{balance}");
        slow.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_keeps_a_key_on_its_server() {
    let (one, two) = pair().await;
    let keys = "balance = \"hash\"\nhash_by = \"header:x-room\"";
    let gateway = Gateway::start(&toml(&servers(&one, &two), keys)).await;
    let mut used = BTreeMap::new();
    for room in 0..64 {
        let room = format!("room-{room}");
        let first = server(&gateway, &[("x-room", &room)]).await;
        for _ in 0..3 {
            assert_eq!(
                server(&gateway, &[("x-room", &room)]).await,
                first,
                "{room}"
            );
        }
        *used.entry(first).or_insert(0) += 1;
    }
    assert!(
        used.len() == 2 && used.values().all(|rooms| *rooms > 10),
        "{used:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_by_caller_keeps_a_caller_on_its_server() {
    let (one, two) = pair().await;
    let keys = "balance = \"hash\"\nhash_by = \"caller\"";
    let plugin = "[plugin.who]\ncomponent = \"telegram_auth.wasm\"\ngrants = { clock = true, crypto = true }\nsettings = { bots = [{ token = \
        \"7000000001:DEMO-token-for-local-use-only-000000\" }] }\n\n";
    let toml = toml(&servers(&one, &two), keys).replace("public = true", "plugins = [\"who\"]");
    let gateway = Setup::new(&format!("{plugin}{toml}"))
        .guests()
        .start()
        .await;
    let mut used = BTreeMap::new();
    for caller in 1..40 {
        let credential = authorization(caller);
        let headers = [("authorization", credential.as_str())];
        let first = server(&gateway, &headers).await;
        assert_eq!(server(&gateway, &headers).await, first, "caller {caller}");
        *used.entry(first).or_insert(0) += 1;
    }
    assert_eq!(used.len(), 2, "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_fails_no_request() {
    let (one, two) = pair().await;
    let gateway = Gateway::start(&toml(&servers(&one, &two), "eject = { base = \"500ms\" }")).await;
    let load = Load::start(4, &ask(&gateway));
    let address = two.address();
    tokio::time::sleep(Duration::from_millis(300)).await;
    two.kill().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let two = Echo::start_at(address, "two")
        .await
        .expect("its port is free again");
    until("a request to the server that came back", async || {
        two.served() > 0
    })
    .await;
    let tally = load.stop().await;
    assert!(
        tally.failures.is_empty(),
        "{:?} of {}",
        tally.failures,
        tally.answered
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_never_sent_twice() {
    let (one, two) = pair().await;
    let gateway = Gateway::start(&toml(
        &servers(&one, &two),
        "timeouts = { first_byte = \"200ms\" }",
    ))
    .await;
    for _ in 0..4 {
        let answer = gateway.ask("POST", "/echo?delay=1000", &[], b"once").await;
        assert_eq!(answer.status, 504, "{answer:?}");
    }
    assert_eq!(one.served() + two.served(), 4);
}

async fn pair() -> (Echo, Echo) {
    (Echo::start("one").await, Echo::start("two").await)
}

fn servers(one: &Echo, two: &Echo) -> String {
    format!("\"{}\", \"{}\"", one.address(), two.address())
}

fn toml(servers: &str, keys: &str) -> String {
    format!(
        "[upstream.pair]\nservers = [{servers}]\n{keys}\n\n\
         [[route]]\nname = \"echo\"\npath = \"/echo\"\npublic = true\nupstream = \"pair\"\n"
    )
}

/// What the load asks.
fn ask(gateway: &Gateway) -> Ask {
    Ask {
        address: gateway.listen.http,
        target: String::from("/echo"),
        headers: Vec::new(),
        expect: 200,
    }
}

async fn server(gateway: &Gateway, headers: &[(&str, &str)]) -> String {
    let answer = gateway.get("/echo", headers).await;
    answer.json()["server"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

async fn counts(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(server(gateway, &[]).await).or_insert(0) += 1;
    }
    counts
}

fn counted(one: usize, two: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(String::from("one"), one), (String::from("two"), two)])
}

/// The servers of an upstream on /upstreams, by their addresses.
async fn servers_of(gateway: &Gateway, upstream: &str) -> BTreeMap<String, Value> {
    let page = gateway.admin("GET", "/upstreams").await.json();
    let list = page[upstream].as_array().cloned().unwrap_or_default();
    let named = |server: Value| {
        (
            server["server"].as_str().unwrap_or_default().to_owned(),
            server,
        )
    };
    list.into_iter().map(named).collect()
}

async fn state(gateway: &Gateway, address: SocketAddr) -> String {
    let servers = servers_of(gateway, "pair").await;
    let state = servers
        .get(&address.to_string())
        .map(|server| server["state"].clone());
    state
        .unwrap_or_default()
        .as_str()
        .unwrap_or("gone")
        .to_owned()
}
