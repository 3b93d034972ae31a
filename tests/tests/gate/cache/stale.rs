//! What becomes of a response that is no longer fresh (RFC 9111 section 4.3, RFC 5861).

use std::time::Duration;

use portcullis_tests::upstream::origin::{Asked, Origin, Says};

use super::{gateway, is_stored, status};

/// Longer than `max-age=1`, which is what is stored.
const STALE: Duration = Duration::from_millis(1_200);

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_asks_whether_it_is_still_the_one() {
    let origin = Origin::saying(|asked: &Asked| {
        let same = asked.header("if-none-match") == Some("\"a\"");
        if same {
            Says::status(304, "")
                .header("cache-control", "max-age=60")
                .header("etag", "\"a\"")
                .header("x-new", "2")
                .header("set-cookie", "mine=1")
        } else {
            Says::ok("body")
                .header("cache-control", "max-age=1")
                .header("etag", "\"a\"")
                .header("x-old", "1")
                .header("x-new", "1")
        }
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/", &[]).await;
    tokio::time::sleep(STALE).await;
    let freshened = gateway.get("/", &[]).await;
    assert_eq!(
        (freshened.status, freshened.text().as_str()),
        (200, "body"),
        "{freshened:?}"
    );
    assert_eq!(
        (freshened.header("x-old"), freshened.header("x-new")),
        (Some("1"), Some("2"))
    );
    assert_eq!(
        freshened.header("set-cookie"),
        Some("mine=1"),
        "it is this client's"
    );
    // The cookie came with the 304: what it freshened is asked for again rather than shared with it.
    let other = gateway.get("/", &[]).await;
    assert_eq!(
        (other.text().as_str(), other.header("set-cookie")),
        ("body", Some("mine=1")),
        "{other:?}"
    );
    assert_eq!(origin.count("/"), 3, "each got a cookie of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_freshens_what_is_stored() {
    let origin = Origin::saying(|asked: &Asked| match asked.header("if-modified-since") {
        Some(_) => Says::status(304, "")
            .header("cache-control", "max-age=60")
            .header("x-new", "2"),
        None => Says::ok("body")
            .header("cache-control", "max-age=1")
            .header("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            .header("x-new", "1"),
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/", &[]).await;
    tokio::time::sleep(STALE).await;
    let client = [("if-modified-since", "Tue, 02 Jan 2024 00:00:00 GMT")];
    let revalidated = gateway.get("/", &client).await;
    assert_eq!(revalidated.status, 304, "{revalidated:?}");
    assert!(
        status(&revalidated).contains("fwd=stale; fwd-status=304"),
        "{revalidated:?}"
    );
    for _ in 0..3 {
        let hit = gateway.get("/", &[]).await;
        assert_eq!(
            (hit.text().as_str(), hit.header("x-new")),
            ("body", Some("2")),
            "{hit:?}"
        );
        assert!(is_stored(&hit), "{hit:?}");
    }
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[1].header("if-modified-since"),
        Some("Mon, 01 Jan 2024 00:00:00 GMT"),
        "the store's, not the client's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_response_is_given_while_it_is_renewed() {
    let origin = Origin::saying(|asked: &Asked| {
        Says::ok(format!("{}", asked.before))
            .header("cache-control", "max-age=1, stale-while-revalidate=60")
    })
    .await;
    let gateway = gateway(&origin, "{}").await;
    gateway.get("/", &[]).await;
    tokio::time::sleep(STALE).await;
    let stale = gateway.get("/", &[]).await;
    assert_eq!(stale.text(), "0", "nobody waits for the upstream");
    assert!(status(&stale).contains("hit; ttl="), "{stale:?}");
    let line = gateway
        .log_line(|line| line["because"] == "renews what is stored")
        .await;
    assert_eq!(
        (line["status"].as_u64(), line["route"].as_str()),
        (Some(200), Some("all")),
        "{line}"
    );
    let renewed = gateway.get("/", &[]).await;
    assert_ne!(renewed.text(), "0", "{renewed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_response_is_given_while_the_upstream_fails() {
    let allows = "max-age=1, stale-if-error=60";
    let says = [
        allows,
        "max-age=1, stale-if-error=60, must-revalidate",
        "max-age=1, stale-if-error=60, proxy-revalidate",
        "s-maxage=1, stale-if-error=60",
        "max-age=1, stale-if-error=0",
    ];
    let origin = Origin::saying(move |asked: &Asked| {
        let case: usize = asked.target[1..].parse().expect("the number of a case");
        match asked.before {
            0 => Says::ok("good").header("cache-control", says[case]),
            1 => Says::status(503, "bad"),
            _ => Says::ok("never").breaking(),
        }
    })
    .await;
    let gateway = gateway(&origin, r#"{ stale_if_error = "1m" }"#).await;
    for case in 0..says.len() {
        gateway.get(&format!("/{case}"), &[]).await;
    }
    tokio::time::sleep(STALE).await;
    for (case, says) in says.iter().enumerate() {
        let answer = gateway.get(&format!("/{case}"), &[]).await;
        let expected = if *says == allows {
            (200, "good")
        } else {
            (503, "bad")
        };
        assert_eq!(
            (answer.status, answer.text().as_str()),
            expected,
            "{says}: {answer:?}"
        );
    }
    // The same when there is nobody left to ask, and what was never stored is a 502 then.
    origin.kill().await;
    let answer = gateway.get("/0", &[]).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "good"),
        "{answer:?}"
    );
    assert_eq!(gateway.get("/other", &[]).await.status, 502);
}
