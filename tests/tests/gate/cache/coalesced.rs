//! Many requests for one thing at the same time, and bodies on their way into the store.

use std::sync::Arc;
use std::time::Duration;

use portcullis_tests::client::{Client, plain};
use portcullis_tests::upstream::origin::{Asked, Origin, Says};
use portcullis_tests::wait;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{gateway, is_stored};

const SLOW: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_misses_at_once_are_one_request() {
    let origin = Origin::saying(|asked: &Asked| {
        Says::ok(format!("{}", asked.before))
            .header("cache-control", "max-age=60")
            .after(SLOW)
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        clients.push(
            Client::connect(gateway.listen.http)
                .await
                .expect("the gateway listens"),
        );
    }
    let mut asking = JoinSet::new();
    for mut client in clients {
        asking.spawn(async move { client.ask("GET", "/", &[], b"").await });
    }
    for answer in asking.join_all().await {
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "0"),
            "{answer:?}"
        );
    }
    assert_eq!(origin.count("/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_queues_nobody_up() {
    let origin = Origin::saying(|asked: &Asked| {
        Says::ok(format!("{}", asked.before))
            .header("cache-control", "no-store")
            .after(SLOW)
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    for round in ["unknown", "known"] {
        let answers = ask_many(gateway.listen.http, 24, "/").await;
        let mut bodies: Vec<_> = answers
            .iter()
            .map(portcullis_tests::client::Answer::text)
            .collect();
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(
            bodies.len(),
            24,
            "{round}: everyone has an answer of his own"
        );
    }
    assert!(
        origin.most_at_once() >= 12,
        "{} at once",
        origin.most_at_once()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_of_a_failure_and_does_not_fail_in_turn() {
    let origin = Origin::saying(|_| Says::status(500, "bad").after(SLOW)).await;
    let gateway = gateway(&origin, "{}").await;
    let answers = ask_many(gateway.listen.http, 16, "/").await;
    assert!(answers.iter().all(|answer| answer.status == 500));
    assert!(
        origin.most_at_once() >= 8,
        "{} at once",
        origin.most_at_once()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_nobody_along() {
    let origin = Origin::saying(|asked: &Asked| {
        let says = Says::ok("body").header("cache-control", "max-age=60");
        // Nobody comes too late to wait for the second.
        says.after(if asked.before == 0 { SLOW * 3 } else { SLOW })
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    let mut first = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    first
        .write(&plain::request("GET", "/", &[], b""))
        .await
        .expect("written");
    wait::until("the first request", async || origin.count("/") > 0).await;
    let waiting = tokio::spawn(ask_many(gateway.listen.http, 8, "/"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(first);
    for answer in waiting.await.expect("no panic") {
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "body"),
            "{answer:?}"
        );
    }
    // That of the client that left, and one for all who waited for it.
    let asked = origin.count("/");
    assert!(asked <= 2, "{asked} requests for nine clients");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_streams_while_it_is_stored() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let origin = Origin::saying(move |_| {
        Says::ok("one,")
            .then("two")
            .gated(&held)
            .header("cache-control", "max-age=60")
            .header("content-length", "7")
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    // Both have the first piece before the upstream has the second to give.
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        client
            .write(&plain::request("GET", "/", &[], b""))
            .await
            .expect("written");
        client.head("GET").await.expect("a head");
        assert_eq!(client.piece().await.expect("a piece"), b"one,");
        clients.push(client);
    }
    gate.add_permits(1);
    for client in &mut clients {
        assert_eq!(client.piece().await.expect("a piece"), b"two");
    }
    let hit = gateway.get("/", &[]).await;
    assert!(is_stored(&hit), "{hit:?}");
    assert_eq!((hit.text().as_str(), origin.count("/")), ("one,two", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_holds_up_no_other() {
    let large = "x".repeat(4_000_000);
    let origin = Origin::saying(move |_| {
        Says::ok(large.clone())
            .header("cache-control", "max-age=60")
            .after(Duration::from_millis(200))
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    let mut stalled = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    stalled
        .write(&plain::request("GET", "/", &[], b""))
        .await
        .expect("written");
    wait::until("the first request", async || origin.count("/") > 0).await;
    // It reads nothing; the others have it all.
    for answer in ask_many(gateway.listen.http, 4, "/").await {
        assert_eq!(answer.body.len(), 4_000_000);
    }
    assert_eq!(origin.count("/"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_is_too_large_is_not_stored() {
    let large = vec![b'x'; 40_000];
    let origin = Origin::saying(move |asked: &Asked| {
        let says = match (asked.target.as_str(), asked.before) {
            ("/broken", 0) => Says::ok("half").breaking(),
            ("/lies", 0) => Says::ok("half").breaking().header("content-length", "8"),
            // Not over a connection that is used again: a request that finds that closed is sent once more.
            ("/broken" | "/lies", _) => Says::ok("half and half").header("connection", "close"),
            ("/large", _) => Says::ok(large.clone()),
            // Nobody can tell beforehand.
            _ => Says::ok(large[..20_000].to_vec()).then(large[..20_000].to_vec()),
        };
        says.header("cache-control", "max-age=60")
    })
    .await;
    // Else a request that broke off before its head was seen would be sent again, and be answered whole.
    let once = super::toml(&origin, "{}")
        .replace("]\n\n[[route]]", "]\nretry = { tries = 1 }\n\n[[route]]");
    let toml = format!("[cache]\nmax_object = \"32KiB\"\n\n{once}");
    let gateway = portcullis_tests::gateway::Gateway::start(&toml).await;
    for target in ["/broken", "/lies"] {
        let mut client = Client::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        let cut = client.ask("GET", target, &[], b"").await;
        assert!(
            cut.is_err() || cut.is_ok_and(|a| a.status == 502),
            "{target}: the client is not told that half is all"
        );
        let whole = gateway.get(target, &[]).await;
        assert_eq!(whole.text(), "half and half", "{target}");
    }
    for target in ["/large", "/unsized"] {
        for round in 1..=3 {
            let answer = gateway.get(target, &[]).await;
            assert_eq!(answer.body.len(), 40_000, "{target}");
            assert_eq!(origin.count(target), round, "{target}");
        }
    }
}

async fn ask_many(
    address: std::net::SocketAddr,
    clients: usize,
    target: &'static str,
) -> Vec<portcullis_tests::client::Answer> {
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        asking.spawn(async move { plain::once(address, "GET", target, &[], b"").await });
    }
    asking.join_all().await
}
