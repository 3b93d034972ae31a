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
    let (one, two) = (Moody::start("one").await, Moody::start("two").await);
    two.health(500);
    let servers = format!("\"{}\", \"{}\"", one.address(), two.address());
    let keys =
        "slow_start = \"6s\"\nhealth = { path = \"/health\", every = \"50ms\", timeout = \"5s\" }";
    let gateway = Gateway::start(&toml(&servers, keys)).await;
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
    let began = tokio::time::Instant::now();
    let (first, second) = (one.served(), two.served());
    // Its share is below a third until half of the time is over.
    until("some requests", async || one.served() > first + 60).await;
    let (ones, twos) = (one.served() - first, two.served() - second);
    if began.elapsed() < Duration::from_secs(3) {
        assert!(
            twos * 3 < ones * 2,
            "{ones} and {twos} after {:?}",
            began.elapsed()
        );
    }
    // In the end both get the same.
    tokio::time::sleep_until(began + Duration::from_millis(6100)).await;
    let (first, second) = (one.served(), two.served());
    until("some requests", async || one.served() > first + 100).await;
    let (ones, twos) = (one.served() - first, two.served() - second);
    assert!(ones.abs_diff(twos) * 5 < ones, "{ones} and {twos}");
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}
