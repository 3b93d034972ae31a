//! At the end of the gateway its sockets are told, and nothing else ends them.

use std::time::Duration;

use portcullis_tests::client::websocket::{CLOSE, Frame, Socket};
use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::sockets::Sockets;
use rustix::process::Signal;

use super::handshake::{toml, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_says_going_away_to_both_ends_between_two_frames_and_then_hangs_up() {
    let server = Sockets::start().await;
    let mut gateway = Gateway::start(&toml(&server)).await;
    let mut quiet = Socket::open(gateway.listen.http, "/echo", &[])
        .await
        .expect("open");
    let mut busy = Socket::open(gateway.listen.http, "/echo", &[])
        .await
        .expect("open");
    assert!(quiet.echoes("here").await && busy.echoes("here").await);
    // Half of a frame is under way when the end comes.
    let frame = Frame::text(&"y".repeat(1000)).bytes();
    busy.write(&frame[..500]).await.expect("open");
    gateway.signal(Signal::TERM);
    let close = quiet.next().await.expect("a Close");
    assert_eq!((close.opcode, close.code()), (CLOSE, Some(1001)));
    busy.write(&frame[500..]).await.expect("it is still read");
    assert_eq!(busy.until_close().await, Some(1001));
    for mut socket in [quiet, busy] {
        socket
            .send(&Frame::close(1001))
            .await
            .expect("it is still read");
        assert_eq!(socket.next().await, None, "hung up after the goodbyes");
    }
    let status = gateway.wait(Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    let closed = |line: &&String| line.as_str() == "close 1001";
    assert_eq!(
        server.seen().iter().filter(closed).count(),
        2,
        "{:?}",
        server.seen()
    );
    for messages in [1, 2] {
        let line = gateway
            .log_line(|line| line["websocket"]["messages_in"] == messages)
            .await;
        assert_eq!(line["websocket"]["ended"], "drain", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_answer_the_goodbye_holds_nothing_up() {
    let server = Sockets::start().await;
    let mut gateway = Gateway::start(&with(&server, "")).await;
    let mut socket = Socket::open(gateway.listen.http, "/echo", &[])
        .await
        .expect("open");
    assert!(socket.echoes("here").await);
    gateway.signal(Signal::TERM);
    let status = gateway.wait(Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    assert_eq!(
        socket.until_close().await,
        Some(1001),
        "it was told all the same"
    );
}
