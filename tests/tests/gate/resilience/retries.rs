//! What is sent twice, what never is, and how much of it.

use std::time::Duration;

use portcullis_tests::client::Answer;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::mute::Mute;

use super::{refused, toml, until};

/// No budget to speak of in the way.
const PLENTY: &str = "retry_budget = { share = \"100%\", min_per_second = 1000 }";

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_sent_once_whatever_becomes_of_it() {
    let (one, two) = (Mute::hangs_up().await, Mute::hangs_up().await);
    let echo = Echo::start("echo").await;
    let keys = format!("retry = {{ tries = 5, on = [503], per_try = \"100ms\" }}\n{PLENTY}");
    let servers = [one.address(), two.address()];
    let gateway = Gateway::start(&toml(&servers, &keys, "")).await;
    for _ in 0..10 {
        let answer = gateway.ask("POST", "/", &[], b"once").await;
        refused(&answer, 502, "upstream_unreachable");
    }
    assert_eq!(one.asked() + two.asked(), 10);
    let gateway = Gateway::start(&toml(&[echo.address()], &keys, "")).await;
    assert_eq!(
        gateway.ask("POST", "/?status=503", &[], b"").await.status,
        503
    );
    // Later than one try may take, and answered all the same: what cannot be repeated is not cut.
    assert_eq!(
        gateway
            .ask("POST", "/?delay=400", &[], b"once")
            .await
            .status,
        200
    );
    assert_eq!(echo.served(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_which_nothing_was_sent_goes_to_another_server() {
    let (gone, echo) = (Echo::start("gone").await, Echo::start("echo").await);
    let servers = [gone.address(), echo.address()];
    gone.kill().await;
    let gateway = Gateway::start(&toml(&servers, "", "")).await;
    for _ in 0..6 {
        let answer = gateway.ask("POST", "/", &[], b"once").await;
        assert_eq!((answer.status, body(&answer)), (200, "once".to_owned()));
    }
    assert_eq!(echo.served(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_request_with_a_kept_body_is_sent_again_whole() {
    let (broken, echo) = (Mute::hangs_up().await, Echo::start("echo").await);
    let servers = [broken.address(), echo.address()];
    let keys = format!("retry = {{ max_body = \"1KiB\" }}\n{PLENTY}");
    let gateway = Gateway::start(&toml(&servers, &keys, "")).await;
    let fits = "x".repeat(1024);
    for _ in 0..6 {
        let answer = gateway.ask("PUT", "/", &[], fits.as_bytes()).await;
        assert_eq!((answer.status, body(&answer)), (200, fits.clone()));
    }
    let asked = broken.asked();
    assert!(asked > 0, "the broken server was asked first by some");
    // Larger than what is kept, or of a length that nobody told: sent once.
    let large = vec![b'x'; 1025];
    let chunked = b"3\r\nabc\r\n0\r\n\r\n".to_vec();
    let te = [("transfer-encoding", "chunked")];
    for (headers, sent) in [(&[][..], large), (&te[..], chunked)] {
        let before = (broken.asked(), echo.served());
        let mut failed = 0;
        for _ in 0..6 {
            let answer = gateway.ask("PUT", "/", headers, &sent).await;
            failed += usize::from(answer.status == 502);
        }
        let after = (broken.asked(), echo.served());
        assert_eq!(after.0 - before.0, failed, "{headers:?}");
        assert_eq!(after.1 - before.1, 6 - failed, "{headers:?}");
        assert!(failed > 0, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_tried_again_where_the_file_says_so_and_at_another_server_first() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let servers = [one.address(), two.address()];
    // (upstream's keys, route's keys, tries)
    let table = [
        ("", "", 1),
        ("retry = { on = [503] }", "", 3),
        ("retry = { on = [503], tries = 2 }", "", 2),
        ("retry = { on = [500] }", "", 1),
        ("retry = { on = [503] }", "retry = { on = [] }", 1),
        (
            "",
            "retry = { on = [503], tries = 4, back_off = \"1ms\" }",
            4,
        ),
    ];
    for (upstream, route, tries) in table {
        let gateway = Gateway::start(&toml(&servers, upstream, route)).await;
        let before = (one.served(), two.served());
        let answer = gateway.get("/?status=503", &[]).await;
        assert_eq!(answer.header("x-echo"), Some("1"), "the last answer stands");
        let (first, second) = (one.served() - before.0, two.served() - before.1);
        assert_eq!(first + second, tries, "{upstream} {route}");
        assert!(
            first.abs_diff(second) <= 1,
            "{upstream} {route}: {first}, {second}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_takes_too_long_is_followed_by_another() {
    let (stuck, echo) = (Mute::hangs().await, Echo::start("echo").await);
    let servers = [stuck.address(), echo.address()];
    let keys = format!("retry = {{ per_try = \"200ms\" }}\n{PLENTY}");
    let gateway = Gateway::start(&toml(&servers, &keys, "")).await;
    for _ in 0..6 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    assert!(stuck.asked() > 0);
    assert_eq!(echo.served(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_stay_within_their_budget_when_everything_fails() {
    const REQUESTS: usize = 200;
    let (one, two) = (Mute::hangs_up().await, Mute::hangs_up().await);
    let servers = [one.address(), two.address()];
    let keys = "retry_budget = { min_per_second = 0 }";
    let gateway = Gateway::start(&toml(&servers, keys, "")).await;
    for _ in 0..REQUESTS {
        refused(&gateway.get("/", &[]).await, 502, "upstream_unreachable");
    }
    let sent = one.asked() + two.asked();
    assert!(sent > REQUESTS, "some were sent again: {sent}");
    assert!(sent <= REQUESTS + REQUESTS / 5, "{sent} of {REQUESTS}");
    let again = gateway
        .metric("portcullis_retries_total{outcome=\"sent\",upstream=\"u\"}")
        .await;
    assert_eq!(again, u64::try_from(sent - REQUESTS).ok());
    let denied = gateway.metric("portcullis_retries_total{outcome=\"denied\",upstream=\"u\"}");
    assert!(denied.await.is_some_and(|denied| denied > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hedge_is_answered_by_the_server_that_is_not_stuck() {
    let (stuck, echo) = (Mute::hangs().await, Echo::start("echo").await);
    let servers = [stuck.address(), echo.address()];
    let keys = format!("retry = {{ hedge_after = \"50ms\" }}\n{PLENTY}");
    let gateway = Gateway::start(&toml(&servers, &keys, "")).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/", &[]).await.json()["server"], "echo");
    }
    let hedged = stuck.asked();
    assert!(hedged > 0);
    assert_eq!(echo.served(), 20, "each was answered once");
    let won = gateway
        .metric("portcullis_hedges_total{outcome=\"won\",upstream=\"u\"}")
        .await;
    assert_eq!(won, u64::try_from(hedged).ok());
    until("the losers' connections are closed", async || {
        stuck.left() == hedged
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_a_read_is_not_hedged() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let servers = [one.address(), two.address()];
    let keys = format!("retry = {{ hedge_after = \"20ms\" }}\n{PLENTY}");
    let gateway = Gateway::start(&toml(&servers, &keys, "")).await;
    for (method, sent) in [("POST", "x"), ("PUT", "x"), ("DELETE", ""), ("GET", "x")] {
        let answer = gateway
            .ask(method, "/?delay=300", &[], sent.as_bytes())
            .await;
        assert_eq!(answer.status, 200, "{method}");
    }
    assert_eq!(one.served() + two.served(), 4);
    assert_eq!(gateway.get("/?delay=300", &[]).await.status, 200);
    assert_eq!(one.served() + two.served(), 6, "a read is");
}

#[tokio::test(flavor = "multi_thread")]
async fn hedges_are_paid_from_the_budget() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let servers = [one.address(), two.address()];
    let keys = "retry = { hedge_after = \"10ms\" }\nretry_budget = { min_per_second = 0 }";
    let gateway = Gateway::start(&toml(&servers, keys, "")).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/?delay=60", &[]).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = one.served() + two.served();
    assert!((21..=24).contains(&sent), "{sent} for 20");
}

fn body(answer: &Answer) -> String {
    answer.json()["body"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
