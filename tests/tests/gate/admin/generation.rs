//! `/generation`: what serves, and what drains.

use portcullis_tests::client::Client;
use portcullis_tests::gateway::digest;
use portcullis_tests::wait;

use super::{gateway, toml};

#[tokio::test(flavor = "multi_thread")]
async fn an_older_generation_is_told_of_as_long_as_an_exchange_holds_it() {
    let (gateway, echo) = gateway().await;
    let page = async || gateway.admin("GET", "/generation").await.json();
    let first = page().await;
    assert_eq!(
        (&first["number"], &first["refused"]),
        (&1.into(), &false.into())
    );
    assert_eq!(first["draining"].as_array().map(Vec::len), Some(0));
    // Half of a body: the exchange holds what it began with.
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it accepts");
    let head = b"POST /slow HTTP/1.1\r\nhost: gate.test\r\ncontent-length: 4\r\n\r\nab";
    client.write(head).await.expect("it reads");
    let in_flight = async || {
        let upstreams = gateway.admin("GET", "/upstreams").await.json();
        upstreams["echo"][0]["in_flight"] == 1
    };
    wait::until("a request in flight", in_flight).await;
    gateway.rewrite(&format!("# another\n{}", toml(&echo)));
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    let second = page().await;
    assert_eq!(second["number"], 2);
    assert_ne!(first["config"], second["config"]);
    assert_eq!(
        second["config"].as_str().map(str::len),
        Some(digest(b"").len())
    );
    assert!(second["since"].as_u64() >= first["since"].as_u64());
    assert_eq!(second["draining"][0]["number"], 1, "{second}");
    client.write(b"cd").await.expect("it reads");
    assert_eq!(client.answer("POST").await.expect("an answer").status, 200);
    drop(client);
    wait::found("no generation that drains", async || {
        let page = page().await;
        if page["draining"] == serde_json::json!([]) {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    gateway.rewrite("[[rout]]");
    assert_eq!(gateway.admin("POST", "/reload").await.status, 422);
    let third = page().await;
    assert_eq!(
        (&third["number"], &third["refused"]),
        (&2.into(), &true.into())
    );
}
