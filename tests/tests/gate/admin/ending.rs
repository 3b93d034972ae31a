//! `POST /drain`: what is in flight finishes, the load balancer is told in time, the process ends well.

use std::time::Duration;

use portcullis_tests::client::Client;
use portcullis_tests::gateway::Setup;
use portcullis_tests::upstream::echo::Echo;

use super::toml;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_told_to_drain_is_not_ready_still_accepts_finishes_and_ends() {
    let echo = Echo::start("one").await;
    let mut gateway = Setup::new(&toml(&echo)).listen("").start().await;
    let http = gateway.listen.http;
    let refused = gateway
        .ask_admin("POST", "/drain", &JSON, br#"{"grace": 5}"#)
        .await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let begun = gateway
        .ask_admin("POST", "/drain", &JSON, br#"{"grace": "1h"}"#)
        .await;
    assert_eq!(begun.status, 202, "{begun:?}");
    assert_eq!(begun.json()["state"], "draining");
    let ready = gateway.admin("GET", "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["type"], "draining");
    assert_eq!(gateway.admin("GET", "/livez").await.status, 200);
    // The load balancer has not seen it yet.
    assert_eq!(gateway.get("/late", &[]).await.status, 200);
    // In flight while the end comes.
    let slow = tokio::spawn(async move {
        let mut client = Client::connect(http).await.expect("it accepts");
        client
            .write(b"POST /slow HTTP/1.1\r\nhost: gate.test\r\ncontent-length: 4\r\n\r\nab")
            .await
            .expect("it reads");
        tokio::time::sleep(Duration::from_millis(700)).await;
        client.write(b"cd").await.expect("it still reads");
        client.answer("POST").await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let hastened = gateway
        .ask_admin("POST", "/drain", &JSON, br#"{"grace": "0s"}"#)
        .await;
    assert_eq!(hastened.json()["accepts_for_seconds"], 0.0, "{hastened:?}");
    let answer = slow.await.expect("no panic").expect("it is answered");
    assert_eq!(answer.status, 200);
    let status = gateway.wait(Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    assert!(
        std::net::TcpStream::connect(http).is_err(),
        "nobody listens"
    );
}
