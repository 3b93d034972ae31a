//! What a plugin cost is told to the operator, and to clients where the operator allows it.

use portcullis_tests::gateway::Setup;
use portcullis_tests::upstream::canned::{Canned, Then};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_written_by_plugin_and_route() {
    let server = Canned::start(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Then::Keep,
    )
    .await;
    let toml = format!(
        r#"
        [plugin.stamp]
        component = "headers.wasm"
        settings.response.set = {{ x-seen = "yes" }}

        [upstream.u]
        servers = ["{}"]

        [[route]]
        name = "told"
        path = "/told"
        public = true
        plugins = ["stamp"]
        upstream = "u"
        server_timing = true

        [[route]]
        name = "quiet"
        path = "/quiet"
        public = true
        plugins = [{{ name = "stamp", limits = {{ time = "20ms" }} }}]
        upstream = "u"
        "#,
        server.address()
    );
    let gateway = Setup::new(&toml).guests().start().await;
    for _ in 0..3 {
        let told = gateway.get("/told", &[]).await;
        assert_eq!(told.header("x-seen"), Some("yes"));
        let timing = told.header("server-timing").expect("the route tells it");
        assert!(timing.starts_with("stamp;dur="), "{timing}");
    }
    let quiet = gateway.get("/quiet", &[]).await;
    assert_eq!(quiet.header("x-seen"), Some("yes"));
    assert_eq!(quiet.header("server-timing"), None);

    let metrics = gateway.admin("GET", "/metrics").await.text();
    for line in [
        r#"portcullis_plugin_calls_total{outcome="ok",plugin="stamp",route="told"} 3"#,
        r#"portcullis_plugin_calls_total{outcome="ok",plugin="stamp",route="quiet"} 1"#,
        r#"portcullis_plugin_calls_total{outcome="trapped",plugin="stamp",route="told"} 0"#,
        r#"portcullis_plugin_instances_live{plugin="stamp",route="told"} 0"#,
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    let plugin: Value = gateway.plugin("stamp").await;
    let bills = plugin["routes"].as_array().expect("a bill per route");
    let told = bills.iter().find(|bill| bill["route"] == "told");
    let told = told.expect("the route was used");
    assert!(told["cpu_seconds"].as_f64().is_some_and(|s| s > 0.0));
    assert!(
        told["memory_peak_bytes"]
            .as_u64()
            .is_some_and(|n| n >= 65_536)
    );
    assert!(told["host_calls"].as_u64().is_some_and(|n| n >= 3));

    let top = gateway.command("top --once").expect("the binary runs");
    let text = String::from_utf8_lossy(&top.stdout).into_owned();
    let row = text
        .lines()
        .find(|line| line.starts_with("stamp            told"));
    let calls = row.and_then(|row| row.split_whitespace().nth(2));
    assert_eq!(calls, Some("3"), "{text}");
}
