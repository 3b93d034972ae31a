//! How much of the requests a server gets: bounded loads and slow start.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::load::Load;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::moody::Moody;

use super::{ask, server, state, toml, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_with_bounded_load_spreads_a_key_that_everybody_asks_for() {
    // Without a bound one server gets all of it; with it none gets more than its bound.
    for (bound, most) in [("", 12), ("bounded_load = \"125%\"", 5)] {
        let mut servers = Vec::new();
        for name in ["one", "two", "three"] {
            servers.push(Moody::start(name).await);
            servers
                .last()
                .expect("just pushed")
                .take(Duration::from_secs(20));
        }
        let list: Vec<String> = servers
            .iter()
            .map(|s| format!("\"{}\"", s.address()))
            .collect();
        let keys = format!("balance = \"hash\"\nhash_by = \"header:x-room\"\n{bound}");
        let gateway = Gateway::start(&toml(&list.join(", "), &keys)).await;
        let served = || servers.iter().map(Moody::served).collect::<Vec<_>>();
        let mut waiting = Vec::new();
        for asked in 1..=12 {
            let address = gateway.listen.http;
            waiting.push(tokio::spawn(async move {
                let mut client = Client::connect(address).await.expect("the gateway listens");
                client
                    .ask("GET", "/echo", &[("x-room", "lobby")], b"")
                    .await
            }));
            until("it arrived", async || {
                served().iter().sum::<usize>() == asked
            })
            .await;
        }
        let seen = served();
        assert_eq!(seen.iter().max(), Some(&most), "{bound}: {seen:?}");
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_crowd_stays_on_its_server_under_bounded_load() {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    let keys = "balance = \"hash\"\nhash_by = \"header:x-room\"\nbounded_load = \"125%\"";
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    let gateway = Gateway::start(&toml(&servers, keys)).await;
    let mut used = BTreeMap::new();
    for room in 0..32 {
        let room = format!("room-{room}");
        let first = server(&gateway, &[("x-room", &room)]).await;
        assert_eq!(
            server(&gateway, &[("x-room", &room)]).await,
            first,
            "{room}"
        );
        *used.entry(first).or_insert(0) += 1;
    }
    assert_eq!(used.len(), 2, "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_back_gets_its_share_little_by_little() {
    // At the start of an hour its share is below a third, and it has one.
    let (ones, twos) = shares("1h", Duration::ZERO).await;
    assert!(twos > 0 && twos * 3 < ones * 2, "{ones} and {twos}");
    // When its time is over both get the same.
    let (ones, twos) = shares("1s", Duration::from_millis(1100)).await;
    assert!(ones.abs_diff(twos) * 5 < ones, "{ones} and {twos}");
}

/// What both serve, from `after` that time on, of which the second is back and starts slowly.
async fn shares(slow_start: &str, after: Duration) -> (usize, usize) {
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.health(500);
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    let health = "health = { path = \"/health\", every = \"50ms\", timeout = \"5s\" }";
    let keys = format!("slow_start = \"{slow_start}\"\n{health}");
    let gateway = Gateway::start(&toml(&servers, &keys)).await;
    until("two is down", async || {
        state(&gateway, two.address()).await == "down"
    })
    .await;
    let load = Load::start(4, &ask(&gateway));
    two.health(200);
    until("two is up", async || {
        state(&gateway, two.address()).await == "up"
    })
    .await;
    tokio::time::sleep(after).await;
    let (first, second) = (one.served(), two.served());
    load.goes_on(200).await;
    let (ones, twos) = (one.served() - first, two.served() - second);
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    (ones, twos)
}
