//! Over TLS a socket is the same, over HTTP/1.1 and over HTTP/2.

use futures_util::{SinkExt, StreamExt};
use portcullis_tests::client::websocket::Frame;
use portcullis_tests::gateway::Setup;
use portcullis_tests::tls::{Authority, connect};
use portcullis_tests::upstream::sockets::Sockets;
use rustix::process::Signal;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::handshake::toml;
use super::http2::{self, hex, received};

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_socket_is_what_it_is_without_and_a_drain_reaches_it() {
    let server = Sockets::start().await;
    let authority = Authority::new("authority");
    let tls = "[tls]\ncertificates = [{ certificate = \"a.pem\", key = \"a.key\" }]\n";
    let mut gateway = Setup::new(&format!("{tls}\n{}", toml(&server)))
        .listen("https = \"{https}\"")
        .certificate("a", &authority.issue(&["a.test"]))
        .start()
        .await;
    let bytes = [Frame::text("hello").bytes(), Frame::close(1000).bytes()].concat();
    let request = json!({ "headers": http2::connect("/echo"), "bytes": hex(&bytes) });
    let answers = http2::speak(gateway.listen.https.port(), true, vec![request]);
    let expected = [
        Frame::text("hello").unmasked(),
        Frame::close(1000).unmasked(),
    ];
    assert_eq!(received(&answers[0]), expected);

    let config = authority.client(&["http/1.1"], None);
    let stream = connect(gateway.listen.https, "a.test", config)
        .await
        .expect("TLS");
    let (mut socket, _) = tokio_tungstenite::client_async("wss://a.test/echo", stream)
        .await
        .expect("a handshake");
    for text in ["hello", &"x".repeat(300_000)] {
        socket.send(Message::text(text)).await.expect("open");
        let echo = socket.next().await.expect("open").expect("a message");
        assert_eq!(echo.into_text().expect("a text").as_str(), text);
    }
    gateway.signal(Signal::TERM);
    match socket.next().await {
        Some(Ok(Message::Close(Some(close)))) => assert_eq!(u16::from(close.code), 1001),
        other => panic!("no Close: {other:?}"),
    }
    assert!(socket.next().await.is_none(), "hung up after the goodbyes");
    assert!(
        gateway
            .wait(std::time::Duration::from_secs(20))
            .expect("it ends")
            .success()
    );
}
