//! Requests that are held back: in their order, not too long, not too many.

use std::net::SocketAddr;

use portcullis_tests::client::{Answer, plain};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::recorder::Recorder;
use tokio::task::JoinHandle;

use super::{decisions, refused, toml};

fn ask(at: SocketAddr, n: usize) -> JoinHandle<Answer> {
    tokio::spawn(async move { plain::once(at, "GET", &format!("/echo/{n}"), &[], b"").await })
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_held_back_in_the_order_they_came() {
    let recorder = Recorder::start().await;
    let keys =
        "rate_limit = [{ per = \"client_ip\", limit = \"2/3s\", burst = 1, throttle = \"20s\" }]";
    let gateway = Gateway::start(&toml(&recorder.address().to_string(), keys)).await;
    let delayed = decisions("echo", "client_ip", "delayed");
    let mut waiting = vec![ask(gateway.listen.http, 0)];
    gateway
        .metric_is(&decisions("echo", "client_ip", "allowed"), 1)
        .await;
    // The next comes when the one before is seen to wait, or has gone through.
    for n in 1..4 {
        waiting.push(ask(gateway.listen.http, n));
        let seen = n as u64;
        gateway.metric_is(&delayed, seen).await;
    }
    for one in waiting {
        assert_eq!(one.await.expect("no panic").status, 200);
    }
    let targets: Vec<_> = recorder
        .take()
        .await
        .requests
        .into_iter()
        .map(|request| request.target)
        .collect();
    assert_eq!(targets, ["/echo/0", "/echo/1", "/echo/2", "/echo/3"]);
    let line = gateway.log_line(|line| line["limited"] == "delayed").await;
    assert_eq!(
        (&line["limit"], &line["status"]),
        (&"client_ip".into(), &200.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_wait_than_may_and_none_longer_than_said() {
    let recorder = Recorder::start().await;
    let keys = "rate_limit = [{ per = \"client_ip\", limit = \"1/20s\", burst = 1, throttle = \"50s\", max_waiting = 2 }]";
    let text = toml(&recorder.address().to_string(), keys);
    let gateway = Gateway::start(&text).await;
    assert_eq!(gateway.get("/echo/0", &[]).await.status, 200);
    let delayed = decisions("echo", "client_ip", "delayed");
    let mut waiting = Vec::new();
    for n in 1..=2 {
        waiting.push(ask(gateway.listen.http, n));
        gateway.metric_is(&delayed, n as u64).await;
    }
    let answer = gateway.get("/echo/3", &[]).await;
    let wait = refused(&answer, "rate_limited", "client_ip");
    assert!(wait > 20, "two are before it: {wait}");
    let line = gateway.log_line(|line| line["status"] == 429).await;
    let because = line["because"].as_str().unwrap_or_default();
    assert!(because.contains("2 wait already"), "{line}");
    // Clients that leave make room for others.
    for one in waiting {
        one.abort();
    }
    gateway.log_line(|line| line["status"] == 499).await;
    drop(gateway);

    let short = text.replace("50s", "10s");
    let gateway = Gateway::start(&short).await;
    assert_eq!(gateway.get("/echo/0", &[]).await.status, 200);
    let answer = gateway.get("/echo/1", &[]).await;
    let wait = refused(&answer, "rate_limited", "client_ip");
    assert!((11..=20).contains(&wait), "longer than it may wait: {wait}");
}
