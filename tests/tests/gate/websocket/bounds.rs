//! What a route allows its sockets: how many, how large, how silent. And what is told of it.

use portcullis_tests::client::websocket::{CLOSE, Frame, PING, PONG, Socket};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::{init_data, query_value};
use portcullis_tests::upstream::sockets::Sockets;
use portcullis_tests::wait;
use serde_json::Value;

use super::handshake::with;

/// How long something takes at the very most that takes no time.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_route_refuses_with_503_and_a_place_is_free_again_when_a_socket_ends() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&with(&server, "max_connections = 2")).await;
    let first = open(&gateway).await.expect("room");
    let _second = open(&gateway).await.expect("room");
    let refused = open(&gateway).await.expect_err("no room");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.json()["type"], "sockets_full");
    drop(first);
    wait::until("a free place", async || open(&gateway).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_may_not_take_all_and_a_reload_forgets_no_socket() {
    let demo = Demo::start().await;
    let setup = Setup::demo(&demo).edit("max_per_caller  = 8", "max_per_caller  = 2");
    let toml = setup.toml().to_owned();
    let gateway = setup.start().await;
    let open = |user| {
        let target = format!("/ws/mentions?tma={}", query_value(&init_data(user)));
        let address = gateway.listen.http;
        async move { Socket::open(address, &target, &[]).await }
    };
    let _two = [open(42).await.expect("room"), open(42).await.expect("room")];
    let other = open(43).await.expect("another caller has room of its own");
    gateway.rewrite(&toml.replace("max_connections = 5000", "max_connections = 4999"));
    assert!(gateway.command("reload").expect("it runs").status.success());
    let refused = open(42).await.expect_err("no room, also after the reload");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(refused.json()["type"], "too_many_sockets");
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_big_ends_its_socket_on_either_side() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&with(&server, "max_message = \"64KiB\"")).await;
    let table = [("/echo", 65_537, 1009), ("/big", 3, 1011)];
    for (target, size, code) in table {
        let mut socket = Socket::open(gateway.listen.http, target, &[])
            .await
            .expect("open");
        if target == "/echo" {
            assert!(
                socket.echoes(&"x".repeat(65_536)).await,
                "just small enough"
            );
        }
        socket
            .send(&Frame::text(&"x".repeat(size)))
            .await
            .expect("open");
        assert_eq!(socket.until_close().await, Some(code), "{target}");
    }
    // The innocent server is told that the client is going away; the guilty one why.
    server.until("close 1001").await;
    server.until("close 1009").await;
    let line = gateway.log_line(|line| line["path"] == "/big").await;
    let (ended, because) = (&line["websocket"]["ended"], &line["because"]);
    assert_eq!(ended, "server_fault", "{line}");
    assert!(
        because
            .as_str()
            .is_some_and(|text| text.contains("max_message")),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_ends_are_pinged_by_the_gateway_and_one_that_stays_silent_is_gone() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&with(&server, "ping = \"1s\"\npong = \"2s\"")).await;
    let address = gateway.listen.http;
    let mut answering = Socket::open(address, "/echo", &[]).await.expect("open");
    for _ in 0..3 {
        let frame = answering.next().await.expect("a ping");
        assert_eq!((frame.opcode, frame.payload.len()), (PING, 8));
        answering
            .send(&Frame::new(PONG, frame.payload))
            .await
            .expect("open");
    }
    assert!(answering.echoes("still here").await);
    let seen = server.until("ping").await;
    assert!(
        !seen.contains(&"pong".to_owned()),
        "ours are answered by the gateway: {seen:?}"
    );

    let mut silent = Socket::open(address, "/echo", &[]).await.expect("open");
    assert_eq!(silent.until_close().await, Some(1001));
    let mut forsaken = Socket::open(address, "/silent", &[]).await.expect("open");
    let close = async {
        loop {
            let frame = forsaken.next().await.expect("a frame");
            if frame.opcode == CLOSE {
                return frame.code();
            }
            let pong = Frame::new(PONG, frame.payload);
            forsaken.send(&pong).await.expect("open");
        }
    };
    assert_eq!(wait::within("a Close", close).await, Some(1011));
    for ended in ["client_silent", "server_silent"] {
        gateway
            .log_line(|line| line["websocket"]["ended"] == ended)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_messages_is_idle_and_is_closed_on_both_sides() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&with(&server, "idle = \"1s\"\nping = \"0s\"")).await;
    let mut socket = Socket::open(gateway.listen.http, "/echo", &[])
        .await
        .expect("open");
    assert!(socket.echoes("once").await);
    let frame = socket.next().await.expect("a frame");
    assert_eq!((frame.opcode, frame.code()), (CLOSE, Some(1001)));
    server.until("close 1001").await;
    socket.send(&frame).await.expect("it is still read");
    let line = gateway
        .log_line(|line| line["websocket"]["ended"] == "idle")
        .await;
    assert_eq!(line["aborted"], false, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_bytes_are_counted_both_ways_and_the_line_comes_at_the_end() {
    let server = Sockets::start().await;
    let gateway = Gateway::start(&with(&server, "")).await;
    let mut socket = Socket::open(gateway.listen.http, "/echo", &[])
        .await
        .expect("open");
    assert!(socket.echoes("four").await);
    assert!(socket.echoes(&"x".repeat(1000)).await);
    counts(&gateway, "portcullis_websockets{route=\"sockets\"} 1").await;
    // Headers of two bytes, or four, and a mask of four.
    let (up, down) = (2 + 4 + 4 + 4 + 4 + 1000, 2 + 4 + 4 + 1000);
    for (from, bytes) in [("client", up), ("server", down)] {
        let labels = format!("{{from=\"{from}\",route=\"sockets\"}}");
        counts(
            &gateway,
            &format!("portcullis_websocket_messages_total{labels} 2"),
        )
        .await;
        counts(
            &gateway,
            &format!("portcullis_websocket_bytes_total{labels} {bytes}"),
        )
        .await;
    }
    counts(
        &gateway,
        "portcullis_requests_total{route=\"sockets\",status=\"1xx\"} 1",
    )
    .await;
    assert!(
        !gateway.stdout().contains("sockets"),
        "the line is not there yet"
    );
    socket.send(&Frame::close(1000)).await.expect("open");
    assert_eq!(socket.until_close().await, Some(1000));
    drop(socket);
    let line = gateway.log_line(|line| line["route"] == "sockets").await;
    // Both Closes are bytes too: a code in a frame.
    assert_eq!(
        (&line["bytes_in"], &line["bytes_out"]),
        (&(up + 8).into(), &(down + 4).into())
    );
    let expected = serde_json::json!(
        { "ended": "client", "code": 1000, "messages_in": 2, "messages_out": 2 }
    );
    assert_eq!(
        (&line["websocket"], &line["aborted"]),
        (&expected, &Value::from(false))
    );
    counts(&gateway, "portcullis_websockets{route=\"sockets\"} 0").await;
    counts(
        &gateway,
        "portcullis_websockets_ended_total{by=\"client\",route=\"sockets\"} 1",
    )
    .await;
}

/// Waits until the metrics have this line.
async fn counts(gateway: &Gateway, line: &str) {
    wait::found(line, async || {
        let text = gateway.admin("GET", "/metrics").await.text();
        if text.lines().any(|l| l == line) {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
}

async fn open(gateway: &Gateway) -> Result<Socket, portcullis_tests::client::Answer> {
    Socket::open(gateway.listen.http, "/echo", &[]).await
}
