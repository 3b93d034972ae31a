//! Mirroring: copies go out, and nothing comes back of them.

use portcullis_tests::client::Client;
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::canned::{Canned, Then};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::page::Page;

use super::{metric, route, upstream};

fn toml(echo: &Echo, shadow: std::net::SocketAddr, mirror: &str) -> String {
    [
        upstream("echo", echo.address()),
        upstream("shadow", shadow),
        route(
            "r",
            "/**",
            &format!("upstream = \"echo\"\nmirror = {{ upstream = \"shadow\"{mirror} }}"),
        ),
    ]
    .concat()
}

fn counted(outcome: &str) -> String {
    format!("portcullis_mirrored_total{{outcome=\"{outcome}\",route=\"r\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_the_request_itself_with_a_mark_that_no_client_can_make() {
    let (echo, shadow) = (Echo::start("one").await, Page::start().await);
    let gateway = Gateway::start(&toml(&echo, shadow.address(), "")).await;
    let headers = [("x-mine", "1"), ("x-mirrored", "forged")];
    let answer = gateway.ask("POST", "/a?b=c", &headers, b"hello").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.saw("x-mirrored"), None, "the real one has no mark");
    gateway.metric_is(&counted("sent"), 1).await;
    let seen = shadow.seen();
    let [copy] = seen.as_slice() else {
        panic!("not one copy: {seen:?}");
    };
    assert_eq!(
        (copy.method.as_str(), copy.target.as_str()),
        ("POST", "/a?b=c")
    );
    assert_eq!(copy.body, b"hello");
    assert_eq!(copy.header("x-mirrored"), Some("r"));
    assert_eq!(copy.header("x-mine"), Some("1"));
    assert_eq!(
        copy.header("x-request-id"),
        answer.saw("x-request-id").as_deref()
    );
    assert_eq!(copy.header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_requests_as_many_are_copied_as_the_share_says() {
    let (echo, shadow) = (Echo::start("one").await, Page::start().await);
    let gateway = Gateway::start(&toml(
        &echo,
        shadow.address(),
        ", share = \"30%\", in_flight = 100",
    ))
    .await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    for _ in 0..100 {
        let answer = client.ask("GET", "/", &[], b"").await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    gateway.metric_is(&counted("sent"), 30).await;
    assert_eq!((echo.served(), shadow.seen().len()), (100, 30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_larger_than_a_copy_may_be_is_not_copied() {
    let (echo, shadow) = (Echo::start("one").await, Page::start().await);
    let gateway = Gateway::start(&toml(&echo, shadow.address(), ", max_body = \"1KiB\"")).await;
    let body = vec![b'x'; 1025];
    let answer = gateway.ask("POST", "/", &[], &body).await;
    assert_eq!(answer.json()["body"].as_str().map(str::len), Some(1025));
    let chunked = [("transfer-encoding", "chunked")];
    let mut chunks = Vec::new();
    for _ in 0..5 {
        chunks.extend_from_slice(b"100\r\n");
        chunks.extend_from_slice(&[b'x'; 256]);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let answer = gateway.ask("POST", "/", &chunked, &chunks).await;
    assert_eq!(answer.json()["body"].as_str().map(str::len), Some(1280));
    let answer = gateway.ask("POST", "/", &[], &body[..1024]).await;
    assert_eq!(answer.status, 200);
    gateway.metric_is(&counted("sent"), 1).await;
    assert_eq!(metric(&gateway, &counted("too_large")).await, 2);
    assert_eq!(shadow.seen().len(), 1);
    assert_eq!(shadow.seen()[0].body.len(), 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_hangs_or_is_gone_costs_the_real_request_nothing() {
    let echo = Echo::start("one").await;
    // Says nothing at all, for ever.
    let silent = Canned::start(b"", Then::Keep).await;
    let gateway = Gateway::start(&toml(&echo, silent.address(), ", in_flight = 2")).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    for _ in 0..20 {
        let answer = client.ask("GET", "/", &[], b"").await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
    gateway.metric_is(&counted("busy"), 18).await;
    let gone = {
        let echo = Echo::start("gone").await;
        let address = echo.address();
        echo.kill().await;
        address
    };
    let gateway = Gateway::start(&toml(&echo, gone, "")).await;
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    gateway.metric_is(&counted("failed"), 1).await;
}
