//! Connections between two requests: they keep no buffers, and are the same connections all the same.

use std::time::Duration;

use portcullis_tests::client::plain::request;
use portcullis_tests::client::websocket::{Frame, KEY, TEXT};
use portcullis_tests::client::{Answer, Client};
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::echo::Echo;
use portcullis_tests::upstream::sockets::Sockets;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PARKED: &str = "portcullis_client_connections_parked";
const OPEN: &str = "portcullis_client_connections_open{listener=\"http\"}";
/// A gateway that does not close in this time does not close.
const PATIENCE: Duration = Duration::from_secs(30);

fn setup(echo: &Echo, more: &str) -> Setup {
    Setup::new(&format!(
        "{more}\n[upstream.echo]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"all\"\npath = \"/**\"\npublic = true\nupstream = \"echo\"\n",
        echo.address()
    ))
}

async fn client(gateway: &Gateway) -> Client {
    let client = Client::connect(gateway.listen.http).await;
    client.expect("the gateway listens")
}

/// One that has asked once, and been parked since.
async fn parked(gateway: &Gateway) -> Client {
    let before = gateway.metric(PARKED).await.expect("a number");
    let mut client = client(gateway).await;
    assert_eq!(ask(&mut client, "/first").await.status, 200);
    gateway.metric_is(PARKED, before + 1).await;
    client
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>, target: &str) -> Answer {
    let answer = client.ask("GET", target, &[], b"").await;
    answer.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_answers_again_and_is_counted_once() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, "").start().await;
    let mut client = client(&gateway).await;
    // Before its first request a connection needs no buffers either.
    gateway.metric_is(PARKED, 1).await;
    for target in ["/a", "/b", "/c"] {
        assert_eq!(ask(&mut client, target).await.json()["target"], target);
        gateway.metric_is(PARKED, 1).await;
        assert_eq!(gateway.metric(OPEN).await, Some(1));
    }
    drop(client);
    gateway.metric_is(OPEN, 0).await;
    gateway.metric_is(PARKED, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_over_tls_answers_again_and_says_goodbye() {
    let echo = Echo::start("one").await;
    let authority = Authority::new("authority");
    let tls = "[timeouts]\nkeep_alive = \"8s\"\n[tls]\n\
               certificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let gateway = setup(&echo, tls)
        .listen("https = \"{https}\"")
        .certificate("a", &authority.issue(&["a.test"]))
        .start()
        .await;
    let config = authority.client(&["http/1.1"], None);
    let stream = connect(gateway.listen.https, "a.test", config).await;
    let mut client = Client::over(stream.expect("a handshake"));
    for target in ["/a", "/b"] {
        assert_eq!(ask(&mut client, target).await.json()["target"], target);
        gateway.metric_is(PARKED, 1).await;
    }
    // The end is a close_notify: without one this would be an error (RFC 8446 section 6.1).
    let mut stream = client.into_stream();
    assert_eq!(stream.read(&mut [0]).await.expect("a close_notify"), 0);
    gateway.metric_is(PARKED, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_takes_what_a_new_one_would() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, "").start().await;
    let mut client = parked(&gateway).await;

    // HTTP/1.0, and HTTP/1.1 after it.
    let old = b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.write(old).await.expect("it is open");
    let answer = client.answer("GET").await.expect("an answer");
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    gateway.metric_is(PARKED, 1).await;
    let answer = ask(&mut client, "/new").await;
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    gateway.metric_is(PARKED, 1).await;

    // Several requests at once, the last in two pieces.
    let all: Vec<u8> = ["/1", "/2", "/3"]
        .iter()
        .flat_map(|target| request("GET", target, &[], b""))
        .collect();
    let (most, rest) = all.split_at(all.len() - 5);
    client.write(most).await.expect("it is open");
    for target in ["/1", "/2"] {
        let answer = client.answer("GET").await.expect("an answer");
        assert_eq!(answer.json()["target"], target);
    }
    gateway.metric_is(PARKED, 1).await;
    client.write(rest).await.expect("it is open");
    let answer = client.answer("GET").await.expect("an answer");
    assert_eq!(answer.json()["target"], "/3");
    gateway.metric_is(PARKED, 1).await;

    // Empty lines before a request, and a body that is larger than what is read at first.
    client.write(b"\r\n\r\n").await.expect("it is open");
    let body = vec![b'x'; 100_000];
    let answer = client.ask("POST", "/sink", &[], &body).await;
    assert_eq!(answer.expect("an answer").json()["bytes"], 100_000);
    gateway.metric_is(PARKED, 1).await;
    client.write(b"\r\n").await.expect("it is open");
    assert_eq!(ask(&mut client, "/last").await.json()["target"], "/last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_head_on_a_parked_connection_is_refused_like_any() {
    let echo = Echo::start("one").await;
    let gateway = setup(&echo, "[timeouts]\nhead = \"4s\"\n").start().await;
    let mut client = parked(&gateway).await;
    client
        .write(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        .await
        .expect("it is open");
    let answer = client.answer("GET").await.expect("an answer");
    assert_eq!(
        (answer.status, answer.header("connection")),
        (400, Some("close"))
    );
    assert!(client.closes_within(PATIENCE).await);

    let mut client = parked(&gateway).await;
    client.write(b"GET / HT").await.expect("it is open");
    let answer = client.answer("GET").await.expect("an answer");
    assert_eq!(
        (answer.status, answer.header("connection")),
        (408, Some("close"))
    );
    assert!(client.closes_within(PATIENCE).await);
    gateway.metric_is(OPEN, 0).await;
    assert_eq!(echo.served(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_is_closed_when_its_time_is_over() {
    let echo = Echo::start("one").await;
    let timeouts = "[timeouts]\nkeep_alive = \"6s\"\nhead = \"6s\"\n";
    let gateway = setup(&echo, timeouts).start().await;
    let mut used = parked(&gateway).await;
    let mut unused = client(&gateway).await;
    gateway.metric_is(OPEN, 2).await;
    assert!(used.closes_within(PATIENCE).await);
    assert!(unused.closes_within(PATIENCE).await);
    gateway.metric_is(OPEN, 0).await;
    gateway.metric_is(PARKED, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_drains_closes_parked_connections_and_waits_for_the_others() {
    let echo = Echo::start("one").await;
    let mut gateway = setup(&echo, "").start().await;
    let mut idle = parked(&gateway).await;
    let mut busy = parked(&gateway).await;
    let slow = request("GET", "/slow?delay=1500", &[], b"");
    busy.write(&slow).await.expect("it is open");
    gateway.metric_is(PARKED, 1).await;
    gateway.signal(rustix::process::Signal::TERM);
    assert!(idle.closes_within(PATIENCE).await);
    let answer = busy.answer("GET").await.expect("an answer");
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert!(busy.closes_within(PATIENCE).await);
    let ended = gateway.wait(PATIENCE).expect("it ends");
    assert!(ended.success(), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_may_become_a_websocket() {
    let echo = Echo::start("one").await;
    let sockets = Sockets::start().await;
    let more = format!(
        "[upstream.sockets]\nservers = [\"{}\"]\n\
         [[route]]\nname = \"ws\"\npath = \"/ws\"\npublic = true\nupstream = \"sockets\"\n",
        sockets.address()
    );
    let gateway = setup(&echo, &more).start().await;
    let mut client = parked(&gateway).await;
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ];
    let answer = client.ask("GET", "/ws", &headers, b"").await;
    assert_eq!(answer.expect("an answer").status, 101);
    gateway.metric_is(PARKED, 0).await;
    let (mut stream, mut seen) = client.into_parts();
    let mut hello = Frame::text("hello");
    hello.masked = true;
    stream.write_all(&hello.bytes()).await.expect("it is open");
    loop {
        if let Some((frame, used)) = Frame::parse(&seen) {
            seen.drain(..used);
            if frame.opcode == TEXT && frame.payload == b"hello" {
                break;
            }
            continue;
        }
        assert_ne!(stream.read_buf(&mut seen).await.expect("it is open"), 0);
    }
}

/// More than may keep buffers: these are parked as soon as they are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_parked_at_once_and_loses_nothing() {
    const CROWD: usize = 400;
    let echo = Echo::start("one").await;
    let timeouts = "[timeouts]\nhead = \"2m\"\nkeep_alive = \"2m\"\n";
    let gateway = setup(&echo, timeouts).start().await;
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        clients.push(client(&gateway).await);
    }
    for round in 0..3 {
        // A body that looks like a request stays one.
        let inner = request("GET", "/smuggled", &[], b"");
        for (at, client) in clients.iter_mut().enumerate() {
            let target = format!("/{round}/{at}");
            assert_eq!(ask(client, &target).await.json()["target"], *target);
            let answer = client.ask("POST", "/sink", &[], &inner).await;
            assert_eq!(answer.expect("an answer").json()["bytes"], inner.len());
            let target = format!("/again/{at}");
            assert_eq!(ask(client, &target).await.json()["target"], *target);
        }
        gateway.metric_is(PARKED, CROWD as u64).await;
    }
    assert_eq!(echo.served(), 3 * 3 * CROWD);
    drop(clients);
    gateway.metric_is(OPEN, 0).await;
    gateway.metric_is(PARKED, 0).await;
}
