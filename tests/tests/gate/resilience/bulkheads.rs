//! Limits of what is in flight, per route and upstream, and the queues before them.

use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;

use super::{begin, hold, refused, toml};

fn routes(echo: &Echo, upstream: &str, slow: &str) -> String {
    let fast = "[[route]]\nname = \"fast\"\npath = \"/fast\"\npublic = true\nupstream = \"u\"\n";
    let text = toml(&[echo.address()], upstream, slow);
    let text = text.replace("\"all\"", "\"slow\"").replace("/**", "/slow");
    text + fast
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_full_leaves_the_others_alone() {
    let echo = Echo::start("echo").await;
    let gateway = Gateway::start(&routes(&echo, "", "max_in_flight = 2")).await;
    let held = [
        hold(&gateway, "/slow?delay=60000").await,
        hold(&gateway, "/slow?delay=60000").await,
    ];
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"slow\",of=\"route\"}",
            2,
        )
        .await;
    for _ in 0..3 {
        refused(&gateway.get("/slow", &[]).await, 503, "route_busy");
        assert_eq!(gateway.get("/fast", &[]).await.status, 200);
    }
    drop(held);
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"slow\",of=\"route\"}",
            0,
        )
        .await;
    assert_eq!(gateway.get("/slow", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_full_is_full_for_all_its_routes() {
    let echo = Echo::start("echo").await;
    let gateway = Gateway::start(&routes(&echo, "max_in_flight = 1", "")).await;
    let held = hold(&gateway, "/slow?delay=60000").await;
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"u\",of=\"upstream\"}",
            1,
        )
        .await;
    refused(&gateway.get("/slow", &[]).await, 503, "upstream_busy");
    refused(&gateway.get("/fast", &[]).await, 503, "upstream_busy");
    drop(held);
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"u\",of=\"upstream\"}",
            0,
        )
        .await;
    assert_eq!(gateway.get("/fast", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_taken_until_the_last_byte_of_the_answer() {
    let echo = Echo::start("echo").await;
    let text = routes(&echo, "", "max_in_flight = 1").replace("/slow", "/source");
    let gateway = Gateway::start(&text).await;
    let route = "portcullis_bulkhead_in_flight{name=\"slow\",of=\"route\"}";
    // More than the sockets in between hold: the answer cannot end while nobody reads it.
    let mut reader = hold(&gateway, "/source?bytes=1000000000").await;
    assert_eq!(reader.head("GET").await.expect("a head").answer.status, 200);
    refused(
        &gateway.get("/source?bytes=1", &[]).await,
        503,
        "route_busy",
    );
    drop(reader);
    gateway.metric_is(route, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded_and_first_come_is_first_served() {
    let echo = Echo::start("echo").await;
    let keys = "max_in_flight = 1\nqueue = 4\nqueue_timeout = \"30s\"";
    let gateway = Gateway::start(&routes(&echo, "", keys)).await;
    let waiting = "portcullis_bulkhead_waiting{name=\"slow\",of=\"route\"}";
    let mut asked = vec![begin(gateway.listen.http, "/slow?delay=1500&n=0")];
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"slow\",of=\"route\"}",
            1,
        )
        .await;
    let (said, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 1..=4 {
        let begun = begin(gateway.listen.http, &format!("/slow?delay=100&n={number}"));
        let said = said.clone();
        asked.push(tokio::spawn(async move {
            let answer = begun.await.expect("it ends");
            said.send(number).expect("the test listens");
            answer
        }));
        gateway.metric_is(waiting, number).await;
    }
    refused(&gateway.get("/slow", &[]).await, 503, "route_busy");
    for task in asked {
        assert_eq!(task.await.expect("it ends").status, 200);
    }
    // One at a time, so the answers come in the order of the turns.
    let seen: Vec<u64> = std::iter::from_fn(|| order.try_recv().ok()).collect();
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(gateway.metric(waiting).await, Some(0));
    assert_eq!(echo.served(), 5, "who was refused was not forwarded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_does_not_come_in_time_is_a_503() {
    let echo = Echo::start("echo").await;
    let keys = "max_in_flight = 1\nqueue = 4\nqueue_timeout = \"200ms\"";
    let gateway = Gateway::start(&routes(&echo, keys, "")).await;
    let _held = hold(&gateway, "/slow?delay=60000").await;
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"u\",of=\"upstream\"}",
            1,
        )
        .await;
    refused(&gateway.get("/slow", &[]).await, 503, "upstream_busy");
    assert_eq!(echo.served(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_the_queue_leaves_no_trace() {
    let echo = Echo::start("echo").await;
    let keys = "max_in_flight = 1\nqueue = 1\nqueue_timeout = \"60s\"";
    let gateway = Gateway::start(&routes(&echo, "", keys)).await;
    let waiting = "portcullis_bulkhead_waiting{name=\"slow\",of=\"route\"}";
    let held = hold(&gateway, "/slow?delay=60000").await;
    gateway
        .metric_is(
            "portcullis_bulkhead_in_flight{name=\"slow\",of=\"route\"}",
            1,
        )
        .await;
    for _ in 0..3 {
        let leaving = hold(&gateway, "/slow?left=1").await;
        gateway.metric_is(waiting, 1).await;
        drop(leaving);
        gateway.metric_is(waiting, 0).await;
    }
    let next = begin(gateway.listen.http, "/slow");
    gateway.metric_is(waiting, 1).await;
    drop(held);
    assert_eq!(next.await.expect("its turn comes").status, 200);
    assert_eq!(echo.served(), 2, "who left was not forwarded");
}
