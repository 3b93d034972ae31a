//! Budgets hold, and a route gives a plugin less than its own table, never more.

use portcullis_tests::upstream::echo::Echo;

use super::ground::{Ground, setup, silent};

const TOML: &str = r#"
[plugin.one]
component = "unruly_handler.wasm"
limits = { memory = "128MiB", time = "5s", cpu = "5s" }
grants = { upstreams = ["echo", "silent"], calls = 8 }

[plugin.seen]
component = "unruly.wasm"

[[route]]
name = "whole"
path = "/a/whole"
public = true
plugins = ["one"]

[[route]]
name = "narrow"
path = "/a/narrow"
public = true
plugins = [{ name = "one", grants = { calls = 1, upstreams = [{ name = "echo", methods = ["GET"], paths = ["/users/*"] }] } }]

[[route]]
name = "quick"
path = "/a/quick"
public = true
plugins = [{ name = "one", limits = { time = "60ms", cpu = "20ms" } }]

[[route]]
name = "small"
path = "/a/small"
public = true
plugins = [{ name = "one", limits = { memory = "4MiB", host_calls = 20, bytes_in = "64KiB", bytes_out = "1KiB" } }]

[[route]]
name = "single"
path = "/a/single"
public = true
plugins = [{ name = "one", limits = { concurrent = 1 } }]
"#;

impl Ground {
    async fn called(&self, route: &str, call: &str) -> String {
        let headers = [("x-do", "call"), ("x-call", call)];
        let answer = self.gateway.get(route, &headers).await;
        assert_eq!(answer.status, 200, "{route} {call}: {answer:?}");
        answer.text()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_a_route_narrows_are_all_it_has() {
    let ground = Ground::new(TOML).await;
    for (route, call, said) in [
        ("/a/whole", "DELETE echo /admin", "200"),
        ("/a/whole", "GET b /", "NotGranted"),
        ("/a/whole", "GET http://127.0.0.1:9 /", "NotGranted"),
        ("/a/narrow", "GET echo /users/7", "200"),
        ("/a/narrow", "GET echo /users/7/x", "NotGranted"),
        ("/a/narrow", "GET echo /users/../admin", "NotGranted"),
        ("/a/narrow", "GET echo /users/%2e%2e/admin", "NotGranted"),
        ("/a/narrow", "DELETE echo /users/7", "NotGranted"),
        ("/a/narrow", "GET silent /users/7", "NotGranted"),
    ] {
        let before = ground.echo.served();
        assert_eq!(ground.called(route, call).await, said, "{route} {call}");
        let reached = ground.echo.served() - before;
        assert_eq!(reached, usize::from(said == "200"), "{route} {call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_upstreams_are_counted_by_route() {
    let ground = Ground::new(TOML).await;
    for (route, granted) in [("whole", 8), ("narrow", 0)] {
        let before = ground.echo.served();
        let answer = ground.wish(&format!("/a/{route}"), "flood").await;
        assert_eq!(answer.status, 500, "too many calls of the host: {answer:?}");
        assert_eq!(ground.echo.served() - before, granted, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_budget_of_a_route_holds() {
    let ground = Ground::new(TOML).await;
    let large = vec![b'x'; 100 << 10];
    for (route, wish, body, problem, outcome) in [
        ("quick", "loop", &b""[..], "plugin_timed_out", "timed_out"),
        ("small", "hoard", b"", "plugin_failed", "trapped"),
        ("small", "flood", b"", "plugin_failed", "trapped"),
        ("small", "read much", &large, "plugin_failed", "trapped"),
        ("whole", "hoard", b"", "plugin_failed", "trapped"),
    ] {
        let before = ground.calls("one", route, outcome).await;
        let headers = [("x-do", wish)];
        let answer = ground
            .gateway
            .ask("POST", &format!("/a/{route}"), &headers, body)
            .await;
        assert_eq!(answer.status, 500, "{route} {wish}: {answer:?}");
        assert_eq!(answer.json()["type"], problem, "{route} {wish}");
        let counted = ground.calls("one", route, outcome).await - before;
        assert!(
            (counted - 1.0).abs() < 0.5,
            "{route} {wish}: {counted} {outcome}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_the_concurrent_ones_is_told_to_come_back() {
    let ground = Ground::new(TOML).await;
    // The first waits for the silent upstream until its time is over.
    let (first, second) = tokio::join!(ground.wish("/a/single", "wait"), async {
        while ground
            .figure("instances_live", "plugin=\"one\",route=\"single\"")
            .await
            < 0.5
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        ground.wish("/a/single", "count").await
    });
    assert_eq!((first.status, second.status), (200, 503), "{second:?}");
    assert_eq!(second.json()["type"], "plugins_busy");
    assert!(second.header("retry-after").is_some(), "{second:?}");
    assert!((ground.calls("one", "single", "overloaded").await - 1.0).abs() < 0.5);
    assert_eq!(ground.wish("/a/single", "count").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_gives_more_is_a_mistake() {
    let (echo, silent) = (Echo::start("echo").await, silent().await);
    for more in [
        "grants = { calls = 9 }",
        "grants = { upstreams = [\"other\"] }",
        "limits = { memory = \"256MiB\" }",
        "limits = { time = \"6s\" }",
    ] {
        let toml = TOML.replace("limits = { concurrent = 1 }", more);
        let checked = setup(&toml, &echo, &silent).check();
        let text = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success(), "{more}: {text}");
    }
}
