//! Servers behind names: found by DNS, followed as they change, drained when they go.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::client::load::Load;
use portcullis_tests::dns::Dns;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::moody::Moody;

use super::{ask, counts, servers_of, state, toml, until};

const NAME: &str = "users.test.";

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_a_name_is_a_server() {
    let (dns, [one, two, three]) = found().await;
    dns.addresses(NAME, 1, &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "")).await;
    let seen = counts(&gateway, 30).await;
    assert_eq!(
        seen,
        BTreeMap::from(["one", "two", "three"].map(|name| (name.to_owned(), 10)))
    );
    assert!(two.served() == 10 && three.served() == 10);
    let shown = servers_of(&gateway, "pair").await;
    let host = format!("users.test:{}", one.address().port());
    assert!(
        shown.len() == 3 && shown.values().all(|server| server["host"] == host),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_come_and_go_while_requests_flow_and_none_fails() {
    let (dns, [one, two, three]) = found().await;
    dns.addresses(NAME, 0, &["127.0.0.1"]);
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "")).await;
    let load = Load::start(4, &ask(&gateway));
    let steps: [(&[&str], &[&Moody]); 5] = [
        (&["127.0.0.1", "127.0.0.2"], &[&one, &two]),
        (&["127.0.0.2", "127.0.0.3"], &[&two, &three]),
        (&["127.0.0.3"], &[&three]),
        (
            &["127.0.0.1", "127.0.0.2", "127.0.0.3"],
            &[&one, &two, &three],
        ),
        (&["127.0.0.1"], &[&one]),
    ];
    for (addresses, servers) in steps {
        dns.addresses(NAME, 0, addresses);
        until("the servers of the answer", async || {
            let shown = servers_of(&gateway, "pair").await;
            let serving = shown
                .values()
                .filter(|server| server["state"] != "draining");
            let of = |server: &Moody| shown.contains_key(&server.address().to_string());
            serving.count() == servers.len() && servers.iter().all(|server| of(server))
        })
        .await;
        let before: Vec<usize> = servers.iter().map(|server| server.served()).collect();
        until("all of them serve", async || {
            let now = servers.iter().zip(&before);
            now.clone()
                .all(|(server, before)| server.served() > before + 5)
        })
        .await;
    }
    let (seconds, thirds) = (two.served(), three.served());
    load.goes_on(20).await;
    assert_eq!(
        (two.served(), three.served()),
        (seconds, thirds),
        "they are gone"
    );
    let tally = load.stop().await;
    assert!(
        tally.failures.is_empty(),
        "{:?} of {}",
        tally.failures,
        tally.answered
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_finishes_what_it_has_begun() {
    let (dns, [one, two, _three]) = found().await;
    two.take(Duration::from_secs(2));
    dns.addresses(NAME, 0, &["127.0.0.2"]);
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "")).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let slow = tokio::spawn(async move { client.ask("GET", "/echo", &[], b"").await });
    until("it has begun", async || two.served() == 1).await;
    dns.addresses(NAME, 0, &["127.0.0.1"]);
    until("it drains", async || {
        state(&gateway, two.address()).await == "draining"
    })
    .await;
    assert_eq!(
        counts(&gateway, 10).await,
        BTreeMap::from([("one".to_owned(), 10)])
    );
    let answer = slow.await.expect("no panic").expect("an answer");
    assert_eq!(
        (answer.status, answer.json()["server"].as_str()),
        (200, Some("two"))
    );
    until("it is gone", async || {
        state(&gateway, two.address()).await == "gone"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_answer_counts_while_dns_fails() {
    let (dns, [one, two, _three]) = found().await;
    dns.addresses(NAME, 0, &["127.0.0.1"]);
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "")).await;
    dns.fail(true);
    let failed = "portcullis_lookups_total{outcome=\"failed\",upstream=\"pair\"}";
    until("it fails", async || {
        gateway.metric(failed).await.unwrap_or(0) >= 2
    })
    .await;
    gateway.says("the last 1 servers are kept").await;
    assert_eq!(
        counts(&gateway, 10).await,
        BTreeMap::from([("one".to_owned(), 10)])
    );
    // Nor does a reload forget them.
    let again = by_name(&dns, one.address().port(), "keep_alive = 3");
    gateway.rewrite(&again);
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    assert_eq!(
        counts(&gateway, 10).await,
        BTreeMap::from([("one".to_owned(), 10)])
    );
    dns.addresses(NAME, 0, &["127.0.0.2"]);
    dns.fail(false);
    until("the new answer", async || {
        state(&gateway, two.address()).await == "up"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_answer_is_refused_until_it_has_one() {
    let (dns, [one, ..]) = found().await;
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "")).await;
    let answer = gateway.get("/echo", &[]).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(!answer.text().contains("users.test"), "{answer:?}");
    gateway.says("not found").await;
    dns.addresses(NAME, 0, &["127.0.0.1"]);
    until("it serves", async || {
        gateway.get("/echo", &[]).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_for_its_ttl_within_bounds() {
    for (ttl, keys, again) in [
        (3600, "max_ttl = \"100ms\"\nmin_ttl = \"50ms\"", true),
        (0, "min_ttl = \"1h\"\nmax_ttl = \"1h\"", false),
        (3600, "max_ttl = \"1h\"", false),
    ] {
        let (dns, [one, ..]) = found().await;
        dns.addresses(NAME, ttl, &["127.0.0.1"]);
        let text = by_name(&dns, one.address().port(), "").replace("min_ttl = \"50ms\"", keys);
        let gateway = Gateway::start(&text).await;
        assert_eq!(gateway.get("/echo", &[]).await.status, 200);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let asked = dns.asked();
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(dns.asked() > asked, again, "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn srv_records_give_ports_weights_and_priorities() {
    let dns = Dns::start().await;
    let (one, two, spare) = (
        Moody::start("one").await,
        Moody::start("two").await,
        Moody::start("spare").await,
    );
    dns.addresses("node.test.", 1, &["127.0.0.1"]);
    let port = |server: &Moody| server.address().port();
    let all = [
        (10, 3, port(&one), "node.test."),
        (10, 1, port(&two), "node.test."),
        (20, 1, port(&spare), "node.test."),
    ];
    dns.services("_http._tcp.users.test.", 1, &all);
    let servers = "\"srv:_http._tcp.users.test\"";
    let gateway = Gateway::start(&resolved(&dns, servers, "eject = { base = \"1m\" }")).await;
    let seen = counts(&gateway, 40).await;
    assert_eq!(
        seen,
        BTreeMap::from([("one".to_owned(), 30), ("two".to_owned(), 10)])
    );
    one.kill().await;
    two.kill().await;
    assert_eq!(
        counts(&gateway, 10).await,
        BTreeMap::from([("spare".to_owned(), 10)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_looks_up_a_new_name_before_it_serves() {
    let (dns, [one, ..]) = found().await;
    dns.addresses(NAME, 1, &["127.0.0.1"]);
    let address = format!("\"{}\"", one.address());
    let gateway = Gateway::start(&resolved(&dns, &address, "")).await;
    let load = Load::start(2, &ask(&gateway));
    gateway.rewrite(&by_name(&dns, one.address().port(), ""));
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    load.goes_on(50).await;
    let tally = load.stop().await;
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_joins_gets_its_share_little_by_little() {
    let (dns, [one, two, _three]) = found().await;
    dns.addresses(NAME, 0, &["127.0.0.1"]);
    let gateway = Gateway::start(&by_name(&dns, one.address().port(), "slow_start = \"1h\"")).await;
    assert_eq!(
        counts(&gateway, 10).await,
        BTreeMap::from([("one".to_owned(), 10)])
    );
    dns.addresses(NAME, 0, &["127.0.0.1", "127.0.0.2"]);
    until("it joins", async || {
        state(&gateway, two.address()).await == "up"
    })
    .await;
    // A tenth of its weight beside a whole one.
    let seen = counts(&gateway, 110).await;
    let joined = seen.get("two").copied().unwrap_or_default();
    assert!((9..=11).contains(&joined), "{seen:?}");
}

/// A DNS server without records, and three servers that share a port.
async fn found() -> (Dns, [Moody; 3]) {
    let one = Moody::start("one").await;
    let port = one.address().port();
    let (two, three) = (
        Moody::start_on(2, port, "two").await,
        Moody::start_on(3, port, "three").await,
    );
    (Dns::start().await, [one, two, three])
}

fn by_name(dns: &Dns, port: u16, keys: &str) -> String {
    resolved(dns, &format!("\"dns:users.test:{port}\""), keys)
}

fn resolved(dns: &Dns, servers: &str, keys: &str) -> String {
    format!(
        "[discovery]\nresolvers = [\"{}\"]\nmin_ttl = \"50ms\"\n\n{}",
        dns.address(),
        toml(servers, keys)
    )
}
