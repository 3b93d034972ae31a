//! The own zone first, the others when it is not well; priorities the same way.

use std::collections::BTreeMap;

use portcullis_tests::client::load::Load;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::moody::Moody;

use super::{ask, counts, state, toml, until};

const HEALTH: &str =
    "health = { path = \"/health\", every = \"50ms\", timeout = \"5s\", down = 2 }";

#[tokio::test(flavor = "multi_thread")]
async fn requests_stay_in_the_own_zone_spill_over_when_it_fails_and_come_back() {
    let (near, far) = (Moody::start("near").await, Moody::start("far").await);
    let servers = format!(
        "{}, {}",
        at(&near, "zone = \"a\""),
        at(&far, "zone = \"b\"")
    );
    let gateway = Gateway::start(&zoned(&servers, "a")).await;
    let load = Load::start(2, &ask(&gateway));
    assert_eq!(counts(&gateway, 20).await, only("near", 20));
    near.health(500);
    until("it is down", async || {
        state(&gateway, near.address()).await == "down"
    })
    .await;
    assert_eq!(counts(&gateway, 20).await, only("far", 20));
    near.health(200);
    until("it is up", async || {
        state(&gateway, near.address()).await == "up"
    })
    .await;
    assert_eq!(counts(&gateway, 20).await, only("near", 20));
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_may_come_from_the_environment() {
    let (near, far) = (Moody::start("near").await, Moody::start("far").await);
    let servers = format!(
        "{}, {}",
        at(&near, "zone = \"a\""),
        at(&far, "zone = \"b\"")
    );
    let setup = Setup::new(&toml(&servers, HEALTH)).env("PORTCULLIS_ZONE", "b");
    assert_eq!(counts(&setup.start().await, 20).await, only("far", 20));
    let nowhere = Gateway::start(&toml(&servers, HEALTH)).await;
    assert_eq!(counts(&nowhere, 20).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_half_well_keeps_the_share_it_can_carry() {
    let mut near = Vec::new();
    for name in ["near-1", "near-2", "near-3", "near-4"] {
        near.push(Moody::start(name).await);
    }
    let far = Moody::start("far").await;
    let mut servers: Vec<String> = near.iter().map(|s| at(s, "zone = \"a\"")).collect();
    servers.push(at(&far, "zone = \"b\""));
    let gateway = Gateway::start(&zoned(&servers.join(", "), "a")).await;
    near[..2].iter().for_each(|server| server.health(500));
    for server in &near[..2] {
        until("it is down", async || {
            state(&gateway, server.address()).await == "down"
        })
        .await;
    }
    // Two of four carry 140 % of a half: 70 %.
    let seen = counts(&gateway, 300).await;
    let spilt = seen.get("far").copied().unwrap_or_default();
    assert!((50..=130).contains(&spilt), "{seen:?}");
    assert!(
        !seen.contains_key("near-1") && !seen.contains_key("near-2"),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_a_lower_priority_serve_when_the_others_are_down() {
    let (first, spare) = (Moody::start("first").await, Moody::start("spare").await);
    let servers = format!("{}, {}", at(&first, ""), at(&spare, "priority = 1"));
    let gateway = Gateway::start(&toml(&servers, HEALTH)).await;
    assert_eq!(counts(&gateway, 20).await, only("first", 20));
    first.health(500);
    until("it is down", async || {
        state(&gateway, first.address()).await == "down"
    })
    .await;
    assert_eq!(counts(&gateway, 20).await, only("spare", 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_refused_in_the_own_zone_is_tried_in_another() {
    let (near, far) = (Moody::start("near").await, Moody::start("far").await);
    let servers = format!(
        "{}, {}",
        at(&near, "zone = \"a\""),
        at(&far, "zone = \"b\"")
    );
    let gateway = Gateway::start(&zoned(&servers, "a").replace(HEALTH, "")).await;
    near.kill().await;
    assert_eq!(counts(&gateway, 10).await, only("far", 10));
}

fn only(name: &str, requests: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(name.to_owned(), requests)])
}

fn at(server: &Moody, keys: &str) -> String {
    let comma = if keys.is_empty() { "" } else { ", " };
    format!("{{ address = \"{}\"{comma}{keys} }}", server.address())
}

fn zoned(servers: &str, zone: &str) -> String {
    format!(
        "[discovery]\nzone = \"{zone}\"\n\n{}",
        toml(servers, HEALTH)
    )
}
