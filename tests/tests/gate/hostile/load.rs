//! Components that must not come to serve at all, as `portcullis check` refuses them.

use portcullis_tests::gateway::guest;
use portcullis_tests::upstream::echo::Echo;

use super::ground::{setup, silent};

/// An instance export of a filter, with imports of somebody who wants more.
fn curious(imports: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {imports} (instance $i) (export "portcullis:plugin/filter@0.1.0" (instance $i)))"#
    );
    wat::parse_str(text).expect("it is valid text")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_serve_is_refused_by_name() {
    let (echo, silent) = (Echo::start("echo").await, silent().await);
    let files = curious(r#"(import "wasi:filesystem/preopens@0.2.3" (instance))"#);
    let sockets = curious(r#"(import "wasi:sockets/tcp@0.2.3" (instance))"#);
    let other = curious(r#"(import "acme:secrets/vault@1.0.0" (instance))"#);
    let unruly = || guest("unruly.wasm");
    let cases: [(&str, Vec<u8>, &str, &str); 8] = [
        (
            "files",
            files,
            "",
            "imports wasi:filesystem/preopens@0.2.3, which no plugin is given",
        ),
        (
            "sockets",
            sockets,
            "",
            "imports wasi:sockets/tcp@0.2.3, which no plugin is given",
        ),
        (
            "another import",
            other,
            "",
            "imports acme:secrets/vault@1.0.0",
        ),
        (
            "an upstream",
            guest("unruly_handler.wasm"),
            "",
            "portcullis:plugin/upstream@0.1.1 (send), which it is not granted",
        ),
        (
            "no functions",
            curious(""),
            "",
            "portcullis:plugin/filter@0.1.",
        ),
        (
            "traps in configure",
            unruly(),
            r#"settings = { configure = "trap" }"#,
            "configure: it failed",
        ),
        (
            "hoards in configure",
            unruly(),
            r#"settings = { configure = "hoard" }"#,
            "configure: it failed",
        ),
        (
            "loops in configure",
            unruly(),
            r#"settings = { configure = "loop" }"#,
            "configure: it took longer than 5s",
        ),
    ];
    for (what, bytes, lines, said) in cases {
        let toml = format!(
            r#"
[plugin.stranger]
component = "stranger.wasm"
{lines}

[[route]]
name = "a"
path = "/a"
public = true
plugins = ["stranger"]
upstream = "echo"
"#
        );
        let checked = setup(&toml, &echo, &silent)
            .plugin("stranger.wasm", bytes)
            .check();
        let text = String::from_utf8_lossy(&checked.stderr).into_owned()
            + &String::from_utf8_lossy(&checked.stdout);
        assert!(!checked.status.success(), "{what}: {text}");
        assert!(text.contains(said), "{what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_kind_never_replaces_the_right_one() {
    let ground = super::ground::Ground::with_every_kind().await;
    ground
        .gateway
        .drop_plugin("unruly.wasm", &guest("unruly_authorizer.wasm"));
    let refused = |entry: &serde_json::Value| {
        let error = entry["last_error"].as_str();
        error.is_some_and(|text| text.contains("authorizer") && text.contains("filter"))
    };
    ground.gateway.plugin_until("filter", refused).await;
    let page = ground.gateway.admin("GET", "/metrics").await.text();
    let counted = "portcullis_plugin_swaps_total{outcome=\"refused\",plugin=\"filter\"} 1";
    assert!(page.contains(counted), "{page}");
    let answer = ground.wish("/a/filter", "count").await;
    assert_eq!(answer.saw("x-count").as_deref(), Some("1"), "{answer:?}");
}
