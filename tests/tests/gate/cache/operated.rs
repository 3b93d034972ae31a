//! What operators see of the store and do to it.

use portcullis_tests::client::{Answer, plain};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::origin::{Asked, Origin, Says};
use portcullis_tests::wait;

use super::{gateway, is_stored};

async fn tagged() -> Origin {
    Origin::saying(|asked: &Asked| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        Says::ok(format!("{}", asked.before))
            .header("cache-control", "max-age=60")
            .header("surrogate-key", &format!("all {name}"))
            .header("cache-tag", &format!("comma, of-{name}"))
    })
    .await
}

async fn purge(gateway: &Gateway, body: &str) -> Answer {
    gateway
        .ask_admin(
            "POST",
            "/cache/purge",
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_takes_what_it_names_and_nothing_else() {
    const ALL: [&str; 5] = ["/a/1", "/a/2", "/ab/1", "/b/1?q", "/b/1"];
    let origin = tagged().await;
    let gateway = gateway(&origin, "{}").await;
    let cases: [(&str, &[&str]); 8] = [
        (r#"{"url":"/a/1"}"#, &["/a/1"]),
        (r#"{"url":"http://GATE.test/x/../b/1?q"}"#, &["/b/1?q"]),
        (r#"{"url":"http://other.test/a/1"}"#, &[]),
        (r#"{"prefix":"/a/"}"#, &["/a/1", "/a/2"]),
        (
            r#"{"prefix":"http://gate.test/a"}"#,
            &["/a/1", "/a/2", "/ab/1"],
        ),
        (r#"{"tag":"2"}"#, &["/a/2"]),
        (r#"{"tag":"of-1"}"#, &["/a/1", "/ab/1", "/b/1"]),
        (r#"{"everything":true}"#, &ALL),
    ];
    for (body, gone) in cases {
        for target in ALL {
            gateway.get(target, &[]).await;
        }
        let answer = purge(&gateway, body).await;
        assert_eq!(
            (answer.status, answer.json()["purged"].as_u64()),
            (200, Some(gone.len() as u64)),
            "{body}"
        );
        for target in ALL {
            let answer = gateway.get(target, &[]).await;
            assert_eq!(
                is_stored(&answer),
                !gone.contains(&target),
                "{body}: {target} {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_says_what_is_wrong_with_it() {
    let origin = tagged().await;
    let gateway = gateway(&origin, "{}").await;
    for body in [
        "",
        "{}",
        "[]",
        r#"{"url":"news"}"#,
        r#"{"urls":["/"]}"#,
        r#"{"everything":false}"#,
        r#"{"url":1}"#,
    ] {
        let answer = purge(&gateway, body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    let foreign = [("origin", "http://evil.test")];
    let answer = gateway
        .ask_admin("POST", "/cache/purge", &foreign, br#"{"everything":true}"#)
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(gateway.admin("GET", "/cache/purge").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_while_it_is_purged_is_not_stored() {
    let origin = Origin::saying(|asked: &Asked| {
        let says = Says::ok(format!("{}", asked.before)).header("cache-control", "max-age=60");
        if asked.before == 0 {
            says.after(std::time::Duration::from_millis(500))
        } else {
            says
        }
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    for (target, body) in [("/a", r#"{"tag":"x"}"#), ("/b", r#"{"url":"/"}"#)] {
        let early = tokio::spawn({
            let address = gateway.listen.http;
            async move { plain::once(address, "GET", target, &[], b"").await }
        });
        wait::until("the first request", async || origin.count(target) > 0).await;
        purge(&gateway, body).await;
        assert_eq!(early.await.expect("no panic").text(), "0");
        let late = gateway.get(target, &[]).await;
        assert_eq!(
            late.text(),
            "1",
            "what began before the purge is of before it: {late:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_log_and_admin_tell_the_same() {
    let origin = tagged().await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/a/1", &[]).await;
    gateway.get("/a/1", &[]).await;
    gateway.get("/a/1", &[("cache-control", "no-store")]).await;
    gateway.ask("POST", "/a/2", &[], b"x").await;
    for (result, path) in [
        ("miss", "/a/1"),
        ("hit", "/a/1"),
        ("bypass", "/a/1"),
        ("bypass", "/a/2"),
    ] {
        gateway
            .log_line(|line| line["cache"] == result && line["path"] == path)
            .await;
    }
    let page = gateway.admin("GET", "/cache").await.json();
    let route = &page["routes"]["all"];
    for (name, count) in [
        ("hit", 1),
        ("miss", 1),
        ("bypass", 2),
        ("stored", 1),
        ("evicted", 0),
    ] {
        assert_eq!(route[name], count, "{name}: {page}");
    }
    assert_eq!(page["entries"], 1, "{page}");
    assert!(
        page["bytes"].as_u64().is_some_and(|bytes| bytes > 0),
        "{page}"
    );
    let metrics = gateway.admin("GET", "/metrics").await.text();
    for line in [
        "portcullis_cache_requests_total{result=\"hit\",route=\"all\"} 1",
        "portcullis_cache_requests_total{result=\"bypass\",route=\"all\"} 2",
        "portcullis_cache_stored_total{route=\"all\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_by_bytes() {
    let large = "x".repeat(100_000);
    let origin =
        Origin::saying(move |_| Says::ok(large.clone()).header("cache-control", "max-age=60"))
            .await;
    let toml = format!(
        "[cache]\nmemory = \"1MiB\"\n\n{}",
        super::toml(&origin, "{}")
    );
    let gateway = Gateway::start(&toml).await;
    for number in 0..60 {
        assert_eq!(
            gateway.get(&format!("/{number}"), &[]).await.body.len(),
            100_000
        );
    }
    let page = gateway.admin("GET", "/cache").await.json();
    let route = &page["routes"]["all"];
    assert!(
        page["bytes"].as_u64().is_some_and(|bytes| bytes <= 1 << 20),
        "{page}"
    );
    assert!(
        route["bytes"]
            .as_i64()
            .is_some_and(|bytes| (0..=1 << 20).contains(&bytes)),
        "{page}"
    );
    assert!(
        route["evicted"]
            .as_u64()
            .is_some_and(|evicted| evicted >= 45),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_may_be_kept_from_clients() {
    let origin = tagged().await;
    let gateway = gateway(&origin, "{ hide_tags = true }").await;
    for _ in 0..2 {
        let answer = gateway.get("/a/1", &[]).await;
        assert_eq!(
            (answer.header("surrogate-key"), answer.header("cache-tag")),
            (None, None),
            "{answer:?}"
        );
    }
    assert_eq!(purge(&gateway, r#"{"tag":"1"}"#).await.json()["purged"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_lives_on_over_a_reload() {
    let origin = tagged().await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/a/1", &[]).await;
    gateway.rewrite(&super::toml(&origin, r#"{ ttl = "5s" }"#));
    assert_eq!(gateway.admin("POST", "/reload").await.status, 200);
    assert!(is_stored(&gateway.get("/a/1", &[]).await));
}
