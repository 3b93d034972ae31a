//! What an instance knows: in fresh mode nothing of other requests, of the machine nothing ever.

use super::ground::Ground;

const TOML: &str = r#"
[plugin.fresh]
component = "unruly.wasm"

[plugin.uncopied]
component = "unruly.wasm"
snapshot = "never"

[plugin.kept]
component = "unruly.wasm"
instance = "kept"

[plugin.fresh-handler]
component = "unruly_handler.wasm"
grants = { upstreams = ["echo"] }

[[route]]
name = "fresh"
path = "/a/fresh"
public = true
plugins = ["fresh"]
upstream = "echo"

[[route]]
name = "uncopied"
path = "/a/uncopied"
public = true
plugins = ["uncopied"]
upstream = "echo"

[[route]]
name = "kept"
path = "/a/kept"
public = true
plugins = ["kept"]
upstream = "echo"

[[route]]
name = "kept-too"
path = "/a/kept-too"
public = true
plugins = ["kept"]
upstream = "echo"

[[route]]
name = "handler"
path = "/a/handler"
public = true
plugins = ["fresh-handler"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_reads_one_in_every_fresh_instance() {
    let ground = Ground::new(TOML).await;
    for (name, way) in [
        ("fresh", "configured once, then copied"),
        ("uncopied", "configured for each request: "),
        ("kept", "configured once per kept instance"),
    ] {
        let so = |entry: &serde_json::Value| {
            let configured = entry["configured"].as_str();
            configured.is_some_and(|text| text.starts_with(way))
        };
        // A plugin serves before its snapshot is compiled.
        ground.gateway.plugin_until(name, so).await;
    }
    for _ in 0..5 {
        for route in ["/a/fresh", "/a/uncopied"] {
            let answer = ground.wish(route, "count").await;
            assert_eq!(answer.saw("x-count").as_deref(), Some("1"), "{route}");
            assert_eq!(
                answer.header("x-calls"),
                Some("1"),
                "one for the whole exchange"
            );
        }
        assert_eq!(ground.wish("/a/handler", "count").await.text(), "1");
    }
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.extend(ground.wish("/a/kept", "count").await.saw("x-count"));
    }
    assert_eq!(kept, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_leaves_behind_shows_in_kept_mode_alone_and_on_its_route_alone() {
    let ground = Ground::new(TOML).await;
    let last = async |route: &str| ground.wish(route, "remember").await.saw("x-last");
    for route in ["/a/fresh", "/a/uncopied"] {
        for _ in 0..3 {
            assert_eq!(last(route).await.as_deref(), Some("nothing"), "{route}");
        }
    }
    // This is what docs/plugins-life.md warns of.
    assert_eq!(last("/a/kept").await.as_deref(), Some("nothing"));
    assert_eq!(last("/a/kept").await.as_deref(), Some("of another caller"));
    assert_eq!(last("/a/kept-too").await.as_deref(), Some("nothing"));
    // A trap ends the instance and what it knew.
    assert_eq!(ground.wish("/a/kept", "trap").await.status, 500);
    assert_eq!(last("/a/kept").await.as_deref(), Some("nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_empty() {
    let ground = Ground::new(TOML).await;
    let answer = ground.wish("/a/fresh", "environment").await;
    let seen = answer.saw("x-environment");
    assert_eq!(seen.as_deref(), Some("[] []"), "{answer:?}");
}
