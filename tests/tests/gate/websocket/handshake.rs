//! The handshake is checked on both sides, and nothing is tunnelled before it is complete.

use portcullis_tests::client::websocket::{Frame, KEY, Socket};
use portcullis_tests::client::{Client, plain};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::sockets::Sockets;

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_is_not_one_never_reaches_the_server() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&toml(&server)).await;
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);
    let table: &[Case] = &[
        (&[("sec-websocket-version", "12")], 426, "upgrade_required"),
        (
            &[("sec-websocket-version", "13, 8")],
            426,
            "upgrade_required",
        ),
        (&[("sec-websocket-version", "")], 426, "upgrade_required"),
        (&[("sec-websocket-key", "")], 400, "malformed_request"),
        (&[("sec-websocket-key", "short")], 400, "malformed_request"),
        (
            &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25j")],
            400,
            "malformed_request",
        ),
        (&[("content-length", "5")], 400, "malformed_request"),
    ];
    for (headers, status, kind) in table {
        let refused = Socket::open(gateway.listen.http, "/echo", headers).await;
        let answer = refused.expect_err("no handshake");
        assert_eq!(answer.status, *status, "{headers:?}: {answer:?}");
        if *status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        }
        let line = gateway.log_line(|line| line["refusal"] == **kind).await;
        assert_eq!(line["status"], *status, "{line}");
    }
    let wrong_method = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ];
    // RFC 6455 section 4.1: a handshake is a GET. Anything else is an ordinary request, without its hop-by-hop lines.
    plain::once(gateway.listen.http, "POST", "/no", &wrong_method, b"").await;
    assert_eq!(server.until("open /no").await, ["open /no", "end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_foreign_origin_opens_nothing_where_origins_are_listed() {
    let server = Sockets::start().await;
    let listed = |name: &str, path: &str, more: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\npath = \"{path}\"\npublic = true\nupstream = \"sockets\"\n{more}\n\n"
        )
    };
    let toml = [
        format!(
            "[upstream.sockets]\nservers = [\"{}\"]\n\n",
            server.address()
        ),
        listed(
            "listed",
            "/echo",
            "cors = { origins = [\"https://app.example\"] }",
        ),
        listed("nobody", "/nobody", "cors = { origins = [] }"),
        listed("open", "/echo/open", "cors = { origins = [\"*\"] }"),
        listed("silent", "/echo/silent", ""),
    ]
    .concat();
    let gateway = Gateway::start(&toml).await;
    let evil = "https://evil.test";
    let table = [
        ("/echo", Some("https://app.example"), true),
        ("/echo", Some("https://app.example.evil.test"), false),
        ("/echo", Some(evil), false),
        ("/echo", Some("null"), false),
        ("/echo", None, true),
        // Its own pages, over whatever is in front of it.
        ("/echo", Some("http://gate.test"), true),
        ("/echo", Some("https://gate.test"), true),
        ("/echo", Some("ftp://gate.test"), false),
        ("/echo", Some("ws://gate.test"), false),
        ("/echo", Some("gate.test"), false),
        ("/echo", Some("https://gate.test.evil.test"), false),
        ("/echo", Some("https://gate.test:444"), false),
        ("/nobody", Some("https://app.example"), false),
        ("/echo/open", Some(evil), true),
        ("/echo/silent", Some(evil), true),
    ];
    for (target, origin, opens) in table {
        let host = ("host", "gate.test");
        let headers: Vec<_> = [host]
            .into_iter()
            .chain(origin.map(|origin| ("origin", origin)))
            .collect();
        let opened = Socket::open(gateway.listen.http, target, &headers).await;
        match opened {
            Ok(_) => assert!(opens, "{target} {origin:?} is open"),
            Err(answer) => {
                assert!(!opens, "{target} {origin:?}: {answer:?}");
                assert_eq!(answer.json()["type"], "origin_not_allowed");
                assert_eq!(answer.status, 403);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_instead_of_a_right_101_opens_nothing() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&toml(&server)).await;
    let table = [
        ("/wrong-accept", 502),
        ("/extension", 502),
        ("/protocol", 502),
        ("/page", 200),
        ("/no", 403),
    ];
    for (target, status) in table {
        let (mut client, answer) = Socket::ask(gateway.listen.http, target, &[]).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        // A text frame is no HTTP request: nobody may echo it.
        let _sent = client.write(&Frame::text("hello").bytes()).await;
        let back = client.piece().await.unwrap_or_default();
        assert!(!back.ends_with(b"hello"), "{target}: {back:?}");
    }
    let metrics = gateway.admin("GET", "/metrics").await.text();
    assert!(!metrics.contains("portcullis_websockets{"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_do_not_wait_for_the_101_are_no_tunnels() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&toml(&server)).await;
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ];
    let mut early = plain::request("GET", "/echo", &headers, b"");
    early.extend(Frame::text("early").bytes());
    let mut client = Client::connect(gateway.listen.http)
        .await
        .expect("it listens");
    client.write(&early).await.expect("it is connected");
    let mut back = Vec::new();
    while let Ok(piece) = client.piece().await {
        if piece.is_empty() {
            break;
        }
        back.extend(piece);
    }
    let text = String::from_utf8_lossy(&back);
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(!text.contains("early"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subprotocols_and_the_accept_reach_the_client() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&toml(&server)).await;
    let offers = [("sec-websocket-protocol", "superchat, chat")];
    let (_client, answer) = Socket::ask(gateway.listen.http, "/chat", &offers).await;
    let lines = ["sec-websocket-accept", "sec-websocket-protocol"].map(|name| answer.header(name));
    assert_eq!(
        (answer.status, lines),
        (101, [Some(ACCEPT), Some("chat")]),
        "{answer:?}"
    );
}

pub(super) fn toml(server: &Sockets) -> String {
    with(server, "")
}

/// One route to the server, with these limits of its sockets.
pub(super) fn with(server: &Sockets, limits: &str) -> String {
    format!(
        "[upstream.sockets]\nservers = [\"{}\"]\n\n\
         [[route]]\nname = \"sockets\"\npath = \"/**\"\npublic = true\nupstream = \"sockets\"\n\
         [route.websocket]\n{limits}\n",
        server.address()
    )
}
