//! Upstreams that are late, gone or wrong, and clients that ask too much or leave too early.

use std::time::{Duration, Instant};

use portcullis_tests::client::{Answer, Client, plain};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::upstream::canned::{Canned, Then};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::wait;

const TIMEOUTS: &str = "[timeouts]\nhead = \"400ms\"\nkeep_alive = \"400ms\"\nconnect = \"300ms\"\n\
    first_byte = \"300ms\"\nidle = \"300ms\"\ntotal = \"2s\"\n\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_in_time_is_a_504() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo.address().to_string())).await;
    let begin = Instant::now();
    let answer = gateway.get("/echo?delay=5000", &[]).await;
    problem(&answer, 504, "upstream_timeout");
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    let line = gateway.log_line(|line| line["status"] == 504).await;
    assert_eq!(line["refusal"], "upstream_timeout", "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_a_502() {
    let echo = Echo::start("one").await;
    let address = echo.address().to_string();
    echo.kill().await;
    let gateway = Gateway::start(&toml(&address)).await;
    let answer = gateway.get("/echo", &[]).await;
    problem(&answer, 502, "upstream_unreachable");
    assert!(
        !answer.text().contains(&address),
        "addresses stay inside: {answer:?}"
    );
    let line = gateway.log_line(|line| line["status"] == 502).await;
    assert!(
        line["because"]
            .as_str()
            .is_some_and(|text| text.contains(&address)),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_http_is_a_502() {
    let wrong: [&[u8]; 5] = [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A : 1\r\nContent-Length: 0\r\n\r\n",
        b"",
    ];
    for bytes in wrong {
        let canned = Canned::start(bytes, Then::Close).await;
        let gateway = Gateway::start(&toml(&canned.address().to_string())).await;
        let answer = gateway.get("/echo", &[]).await;
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(answer.status, 502, "{shown:?}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{shown:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_reaches_the_client_as_broken() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
    let canned = Canned::start(cut, Then::Close).await;
    let gateway = Gateway::start(&toml(&canned.address().to_string())).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let answer = client.ask("GET", "/echo", &[], b"").await;
    assert!(
        answer.is_err(),
        "a cut body must not look whole: {answer:?}"
    );
    let line = gateway.log_line(|line| line["path"] == "/echo").await;
    assert_eq!(line["aborted"], true, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_101_that_nobody_asked_for_opens_no_tunnel() {
    let switching =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let canned = Canned::start(switching, Then::Keep).await;
    let gateway = Gateway::start(&toml(&canned.address().to_string())).await;
    let answer = gateway.get("/echo", &[]).await;
    assert_eq!(answer.status, 502, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_routes_limit_is_a_413() {
    let echo = Echo::start("one").await;
    let limited =
        toml(&echo.address().to_string()).replace("public", "max_body = \"1KiB\"\npublic");
    let gateway = Gateway::start(&limited).await;
    let (fits, over) = (vec![b'x'; 1024], vec![b'x'; 1025]);
    assert_eq!(gateway.ask("POST", "/echo", &[], &fits).await.status, 200);
    problem(
        &gateway.ask("POST", "/echo", &[], &over).await,
        413,
        "body_too_large",
    );
    assert_eq!(
        echo.served(),
        1,
        "a declared length is refused before anything is sent"
    );
    let mut chunked = format!("{:x}\r\n", over.len()).into_bytes();
    chunked.extend(&over);
    chunked.extend(b"\r\n0\r\n\r\n");
    let answer = gateway
        .ask(
            "POST",
            "/echo",
            &[("transfer-encoding", "chunked")],
            &chunked,
        )
        .await;
    problem(&answer, 413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_is_a_431() {
    let echo = Echo::start("one").await;
    let setup = Setup::new(&toml(&echo.address().to_string())).listen("max_head = \"8KiB\"");
    let gateway = setup.start().await;
    let large = "x".repeat(9_000);
    assert_eq!(
        gateway
            .get("/echo", &[("x-large", &large[..7_000])])
            .await
            .status,
        200
    );
    assert_eq!(
        gateway.get("/echo", &[("x-large", &large)]).await.status,
        431
    );
    assert_eq!(echo.served(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_in_time_is_cut_off() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo.address().to_string())).await;
    for begun in ["", "GET /echo HTTP/1.1\r\nHost: a.test\r\n"] {
        let raw = plain::raw(
            gateway.listen.http,
            begun.as_bytes(),
            Duration::from_secs(3),
        )
        .await;
        assert!(raw.closed, "{begun:?}: {raw:?}");
        assert!(
            raw.answers.iter().all(|answer| answer.status == 408),
            "{begun:?}: {raw:?}"
        );
    }
    assert_eq!(echo.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_kept_as_long_as_said_and_no_longer() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo.address().to_string())).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    for _ in 0..3 {
        assert_eq!(
            client
                .ask("GET", "/echo", &[], b"")
                .await
                .expect("it is kept")
                .status,
            200
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(client.closes_within(Duration::from_secs(3)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stands_still_is_given_up() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo.address().to_string())).await;
    let begun = b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nonly this";
    let raw = plain::raw(gateway.listen.http, begun, Duration::from_secs(4)).await;
    assert!(
        raw.closed && raw.answers.iter().all(|answer| answer.status >= 400),
        "{raw:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_logged_and_its_server_set_free() {
    let echo = Echo::start("one").await;
    let slow =
        toml(&echo.address().to_string()).replace("first_byte = \"300ms\"", "first_byte = \"10s\"");
    let gateway = Gateway::start(&slow).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    client
        .write(&plain::request("GET", "/echo?delay=1500", &[], b""))
        .await
        .expect("it is connected");
    wait::until("the request upstream", async || echo.served() > 0).await;
    drop(client);
    let line = gateway.log_line(|line| line["path"] == "/echo").await;
    assert_eq!(line["aborted"], true, "{line}");
    assert!(
        line["duration_ms"].as_f64().is_some_and(|ms| ms < 1400.0),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expect_100_continue_is_answered_before_the_body() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo.address().to_string())).await;
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let head =
        b"POST /echo HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    client.write(head).await.expect("it is connected");
    let interim = client.piece().await.expect("an interim answer");
    assert!(
        interim.starts_with(b"HTTP/1.1 100 "),
        "{}",
        String::from_utf8_lossy(&interim)
    );
    client.write(b"hello").await.expect("it is connected");
    let answer = client.answer("POST").await.expect("an answer");
    assert_eq!(
        (answer.status, answer.json()["body"].as_str()),
        (200, Some("hello")),
        "{answer:?}"
    );
}

fn problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["type"], kind, "{answer:?}");
    assert_eq!(answer.json()["status"], status, "{answer:?}");
}

fn toml(server: &str) -> String {
    format!(
        "{TIMEOUTS}[upstream.echo]\nservers = [\"{server}\"]\n\n\
         [[route]]\nname = \"echo\"\npath = \"/echo\"\npublic = true\nupstream = \"echo\"\n"
    )
}
