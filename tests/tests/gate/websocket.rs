//! WebSockets: plugins run on the handshake, then two ends are joined, frame by frame.

mod bounds;
mod drain;
mod frames;
mod handshake;
mod http2;
mod many;
mod table;
mod tls;

use futures_util::{SinkExt, StreamExt};
use portcullis_tests::client::Client;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::{self, DEMO_TOKEN, init_data, query_value};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const USER: u64 = 42;

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_with_its_credential_in_the_query_is_joined() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let target = format!("/ws/mentions?tma={}", query_value(&init_data(USER)));
    let mut socket = open(&gateway, &target)
        .await
        .expect("the handshake is accepted");
    for text in ["hello", "grüße", &"x".repeat(100_000)] {
        assert!(
            echoes(&mut socket, text).await,
            "no echo of {} bytes",
            text.len()
        );
    }
    drop(socket);
    let line = gateway
        .log_line(|line| line["path"] == "/ws/mentions")
        .await;
    assert_eq!(
        (&line["status"], &line["caller"]),
        (&Value::from(101), &Value::from("42")),
        "{line}"
    );
    // Three texts up; they and the mentions down; the client left without a Close.
    let socket = &line["websocket"];
    assert_eq!(
        (&socket["ended"], &socket["messages_in"]),
        (&Value::from("client_lost"), &Value::from(3)),
        "{line}"
    );
    for count in [&line["bytes_in"], &line["bytes_out"]] {
        assert!(count.as_u64() > Some(100_000), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_handshake_opens_no_tunnel() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let stale = telegram::dated(DEMO_TOKEN, USER, telegram::now() - 2 * 86_400);
    for target in [
        "/ws/mentions".to_owned(),
        format!("/ws/mentions?tma={}", query_value(&stale)),
    ] {
        let mut client = Client::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        let handshake = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let answer = client
            .ask("GET", &target, &handshake, b"")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 401, "{target}: {answer:?}");
        // A text frame is no HTTP request: nobody may echo it.
        let sent = client.write(b"\x81\x85\0\0\0\0hello").await;
        let back = client.piece().await.unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&back).contains("hello"),
            "{sent:?} {back:?}"
        );
    }
    let tunnels = gateway.admin("GET", "/metrics").await.text();
    let open = tunnels
        .lines()
        .find(|line| line.starts_with("portcullis_websockets"));
    assert!(open.is_none_or(|line| line.ends_with(" 0")), "{open:?}");
}

async fn open(gateway: &Gateway, target: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let opened = tokio_tungstenite::client_async(format!("ws://gate.test{target}"), stream).await;
    opened
        .map(|(socket, _)| socket)
        .map_err(|error| error.to_string())
}

/// Whether a text comes back, among the mentions that come by themselves.
async fn echoes(socket: &mut WebSocketStream<TcpStream>, text: &str) -> bool {
    socket
        .send(Message::text(text))
        .await
        .expect("the tunnel is open");
    for _ in 0..10 {
        match socket.next().await {
            Some(Ok(Message::Text(back))) if back.as_str() == text => return true,
            Some(Ok(_)) => {}
            _ => return false,
        }
    }
    false
}
