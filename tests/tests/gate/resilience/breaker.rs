//! The circuit breaker of an upstream.

use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::mute::Mute;

use super::{refused, toml, until};

const STATE: &str = "portcullis_breaker_state{upstream=\"u\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_opens_on_errors_tries_again_half_open_and_closes() {
    let echo = Echo::start("echo").await;
    let keys = "breaker = { min_requests = 5, open_for = \"2s\", probes = 2 }";
    let gateway = Gateway::start(&toml(&[echo.address()], keys, "")).await;
    assert_eq!(gateway.metric(STATE).await, Some(0));
    for _ in 0..5 {
        assert_eq!(gateway.get("/?status=500", &[]).await.status, 500);
    }
    assert_eq!(gateway.metric(STATE).await, Some(2));
    gateway.says("5 of 5 tries failed").await;
    for _ in 0..3 {
        refused(&gateway.get("/", &[]).await, 503, "circuit_open");
    }
    assert_eq!(echo.served(), 5, "nothing came through");
    // Half open: the first probe fails, and it is open again.
    until("a probe is let through", async || {
        gateway.get("/?status=500", &[]).await.status == 500
    })
    .await;
    assert_eq!(echo.served(), 6);
    refused(&gateway.get("/", &[]).await, 503, "circuit_open");
    // Half open again: both probes succeed, and it is closed.
    until("a probe succeeds", async || {
        gateway.get("/", &[]).await.status == 200
    })
    .await;
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    gateway.metric_is(STATE, 0).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/?status=500", &[]).await.status, 500);
    }
    assert_eq!(gateway.metric(STATE).await, Some(0), "it counts anew");
    for (state, times) in [("open", 2), ("half_open", 2), ("closed", 1)] {
        let sample =
            format!("portcullis_breaker_changes_total{{state=\"{state}\",upstream=\"u\"}}");
        assert_eq!(gateway.metric(&sample).await, Some(times), "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_lives_on_over_reloads_while_its_settings_stay() {
    let echo = Echo::start("echo").await;
    let keys = "breaker = { min_requests = 2, open_for = \"1h\" }";
    let gateway = Gateway::start(&toml(&[echo.address()], keys, "")).await;
    for _ in 0..2 {
        gateway.get("/?status=500", &[]).await;
    }
    let more = format!("{keys}\nmax_in_flight = 5");
    gateway.rewrite(&toml(&[echo.address()], &more, ""));
    let limit = "portcullis_bulkhead_in_flight{name=\"u\",of=\"upstream\"}";
    gateway.metric_is(limit, 0).await;
    refused(&gateway.get("/", &[]).await, 503, "circuit_open");
    let other = "breaker = { min_requests = 3, open_for = \"1h\" }";
    gateway.rewrite(&toml(&[echo.address()], other, ""));
    until("a new breaker is closed", async || {
        gateway.get("/", &[]).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_in_a_hurry_do_not_open_the_breaker_for_others() {
    let (stuck, keys) = (
        Mute::hangs().await,
        "breaker = { min_requests = 2, open_for = \"1h\" }",
    );
    let text = toml(&[stuck.address()], keys, "");
    let text = format!("[timeouts]\ndeadline_header = \"x-timeout-ms\"\n\n{text}");
    let gateway = Gateway::start(&text).await;
    for _ in 0..5 {
        let answer = gateway.get("/", &[("x-timeout-ms", "50")]).await;
        refused(&answer, 504, "deadline_exceeded");
    }
    assert_eq!(gateway.metric(STATE).await, Some(0));
}
