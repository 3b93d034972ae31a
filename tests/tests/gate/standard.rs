//! A standard `wasi:http/proxy` component on a route of the real gateway.

use portcullis_tests::gateway::{Setup, guest};
use portcullis_tests::upstream::echo::Echo;

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_standard_component_serves_a_route_within_its_grants() {
    let echo = Echo::start("echo").await;
    let toml = format!(
        r#"
[plugin.standard]
component = "standard.wasm"
limits = {{ time = "5s" }}
grants = {{ upstreams = [{{ name = "echo", methods = ["GET"] }}] }}

[upstream.echo]
servers = ["{}"]

[[route]]
name = "standard"
prefix = "/std"
public = true
plugins = ["standard"]
"#,
        echo.address()
    );
    let setup = Setup::new(&toml).plugin("standard.wasm", guest("standard.wasm"));
    let gateway = setup.start().await;
    let answer = gateway
        .ask("POST", "/std/hello?a=1", &[("x-name", "ann")], b"the body")
        .await;
    assert_eq!(
        (answer.status, answer.header("x-standard")),
        (200, Some("yes"))
    );
    assert_eq!(answer.text(), "POST /std/hello?a=1\nx-name: ann\nthe body");
    let answer = gateway.get("/std/stream", &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 3 << 20));

    let answer = gateway
        .get("/std/fetch?to=http://echo/users/7?b=2", &[])
        .await;
    assert!(answer.text().starts_with("200 {"), "{answer:?}");
    assert!(
        answer.text().contains("\"target\":\"/users/7?b=2\""),
        "{answer:?}"
    );
    let served = echo.served();
    for to in [
        format!("to=http://{}/", echo.address()),
        "to=http://example.com/".into(),
        "method=DELETE&to=http://echo/users/7".into(),
    ] {
        let answer = gateway.get(&format!("/std/fetch?{to}"), &[]).await;
        assert!(
            answer.text().contains("HttpRequestDenied"),
            "{to}: {answer:?}"
        );
    }
    assert_eq!(echo.served(), served, "none of these reached it");
    // Not granted a log: a hundred streams onto stderr are one page that nobody reads, and a panic is a line.
    let quiet = gateway.stderr().len();
    for _ in 0..20 {
        let answer = gateway.get("/std/scream?100", &[]).await;
        assert_eq!(answer.text(), "hoarse", "{answer:?}");
        let answer = gateway.get("/std/scream?100000", &[]).await;
        assert_eq!(answer.status, 500, "{answer:?}");
    }
    let said = gateway.stderr().len() - quiet;
    assert!(said < 20 * 3000, "{said} bytes of log for 4.8 MB printed");
    let page = gateway.admin("GET", "/metrics").await.text();
    let counter =
        "portcullis_plugin_log_bytes_dropped_total{plugin=\"standard\",route=\"standard\"} ";
    let dropped = page.lines().find_map(|line| line.strip_prefix(counter));
    let dropped: f64 = dropped.and_then(|n| n.parse().ok()).expect("a counter");
    assert!(dropped > 8e6, "{dropped} bytes were left out");

    for wish in ["never", "half", "leak", "trap"] {
        let answer = gateway.get(&format!("/std/{wish}"), &[]).await;
        assert_eq!(answer.status, 500, "{wish}: {answer:?}");
        assert_eq!(answer.json()["type"], "plugin_failed", "{wish}");
    }
}
