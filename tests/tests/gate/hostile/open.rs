//! `on_failure = "open"`: for filters, on purpose, and as if the filter were not there.

use portcullis_tests::upstream::echo::Echo;

use super::ground::{Ground, setup, silent};

const TOML: &str = r#"
[plugin.open]
component = "unruly.wasm"
on_failure = "open"

[plugin.closed]
component = "unruly.wasm"

[[route]]
name = "open"
path = "/a/open"
public = true
plugins = ["open"]
upstream = "echo"

[[route]]
name = "opened"
path = "/a/opened"
public = true
plugins = [{ name = "closed", on_failure = "open" }]
upstream = "echo"

[[route]]
name = "closed"
path = "/a/closed"
public = true
plugins = [{ name = "open", on_failure = "closed" }]
upstream = "echo"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_fails_open_leaves_the_message_as_it_was() {
    let ground = Ground::new(TOML).await;
    for (plugin, route) in [("open", "open"), ("closed", "opened")] {
        let target = format!("/a/{route}");
        for wish in [
            "change and trap",
            "trap",
            "loop",
            "many headers",
            "nonsense",
        ] {
            let answer = ground.wish(&target, wish).await;
            assert_eq!(answer.status, 200, "{wish}: {answer:?}");
            assert_eq!(
                answer.json()["target"],
                target,
                "{wish}: the path is the client's"
            );
            assert_eq!(answer.json()["body"], "body", "{wish}");
            for header in ["x-changed", "x-0"] {
                assert_eq!(answer.saw(header), None, "{wish}");
            }
        }
        for wish in [
            "request-body trap",
            "response trap",
            "response-body change and trap",
        ] {
            let answer = ground.wish(&target, wish).await;
            assert_eq!(answer.status, 200, "{wish}: {answer:?}");
            assert_eq!(answer.json()["body"], "body", "{wish}");
            assert_eq!(answer.header("x-echo"), Some("1"), "{wish}");
        }
        let labels = format!("plugin=\"{plugin}\",route=\"{route}\"");
        let passed = ground.figure("bypassed_total", &labels).await;
        assert!((passed - 8.0).abs() < 0.5, "{passed} of 8 were counted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_can_close_what_its_plugin_leaves_open_and_a_refusal_is_no_failure() {
    let ground = Ground::new(TOML).await;
    assert_eq!(ground.wish("/a/closed", "trap").await.status, 500);
    assert_eq!(ground.wish("/a/open", "teapot").await.status, 418);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_filter_fails_open() {
    let (echo, silent) = (Echo::start("echo").await, silent().await);
    for (kind, file, rest) in [
        (
            "authenticator",
            "unruly_authenticator.wasm",
            "upstream = \"echo\"",
        ),
        ("handler", "unruly_handler.wasm", "public = true"),
    ] {
        let toml = format!(
            r#"
[plugin.one]
component = "{file}"
on_failure = "open"
grants = {{ upstreams = ["echo"] }}

[[route]]
name = "a"
path = "/a"
plugins = ["one"]
{rest}
"#
        );
        let checked = setup(&toml, &echo, &silent).check();
        let text = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success(), "{kind}: {text}");
        assert!(
            text.contains(&format!("a {kind}: it cannot fail open"))
                || text.contains(&format!("an {kind}: it cannot fail open")),
            "{text}"
        );
    }
}
