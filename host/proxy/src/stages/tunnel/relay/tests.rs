use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::super::control::{self, CLOSE, PING, PONG, Sender};
use super::super::frames::Fault;
use super::*;
use crate::pipeline::metrics::Metrics;

const SOON: Duration = Duration::from_millis(30);
const NEVER: Duration = Duration::from_secs(3600);
const BOUNDS: Bounds = Bounds {
    max_message: 1000,
    compressed: false,
    idle: NEVER,
    ping: None,
    pong: NEVER,
    stall: NEVER,
};

/// A relay between the two streams that are given back: the client's and the server's.
fn joined(bounds: Bounds) -> (DuplexStream, DuplexStream, JoinHandle<Ending>) {
    let (client, near) = duplex(64 * 1024);
    let (far, server) = duplex(64 * 1024);
    let metrics = Metrics::new().sockets.open("r");
    let mut relay = Relay::new(near, far, bounds, metrics);
    let task = tokio::spawn(async move { relay.run().await });
    (client, server, task)
}

/// A whole frame with a short payload, in clear.
async fn frame(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    let first = stream.read_u8().await.expect("a frame");
    let second = stream.read_u8().await.expect("a frame");
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await.expect("a mask");
    }
    let mut payload = vec![0; usize::from(second & 0x7f)];
    stream.read_exact(&mut payload).await.expect("a payload");
    let clear = payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m);
    (first, clear.collect())
}

#[tokio::test]
async fn a_ping_waits_for_the_end_of_a_frame_that_is_under_way() {
    let bounds = Bounds {
        ping: Some(SOON),
        ..BOUNDS
    };
    let (mut client, mut server, _task) = joined(bounds);
    // Two texts; the first stops after half of it, the second begins in the same piece as the first ends.
    let text = [&[0x81, 100][..], &[b'x'; 100]].concat();
    server.write_all(&text[..50]).await.expect("open");
    let mut begun = [0; 50];
    client
        .read_exact(&mut begun)
        .await
        .expect("it passes at once");
    tokio::time::sleep(4 * SOON).await;
    let rest = [&text[50..], &text[..60]].concat();
    server.write_all(&rest).await.expect("open");
    let mut ended = [0; 52];
    client.read_exact(&mut ended).await.expect("the rest");
    assert_eq!([&begun[..], &ended].concat(), text, "no ping inside of it");
    let (first, payload) = frame(&mut client).await;
    assert_eq!((first, payload.len()), (0x80 | PING, 8));
    let mut second = [0; 60];
    client.read_exact(&mut second).await.expect("the next");
    assert_eq!(second, text[..60]);
}

#[tokio::test]
async fn an_end_that_answers_pings_stays_and_one_that_does_not_is_gone() {
    let bounds = Bounds {
        ping: Some(SOON),
        pong: 10 * SOON,
        ..BOUNDS
    };
    let (mut client, mut server, task) = joined(bounds);
    let answering = tokio::spawn(async move {
        loop {
            let (first, payload) = frame(&mut server).await;
            if first == 0x80 | CLOSE {
                return payload;
            }
            let pong = control::frame(PONG, &payload, Sender::Server);
            server.write_all(&pong).await.expect("open");
        }
    });
    assert_eq!(frame(&mut client).await.0, 0x80 | PING);
    // The client says nothing. It is told, and so is the server, whose pongs never reached the client.
    assert_eq!(frame(&mut client).await, (0x80 | CLOSE, vec![0x03, 0xe9]));
    assert_eq!(answering.await.expect("no panic"), [0x03, 0xe9]);
    drop(client);
    assert_eq!(task.await.expect("no panic"), Ending::Silent(Side::Client));
}

#[tokio::test]
async fn a_fault_is_told_to_its_end_and_the_other_is_told_that_it_is_over() {
    let table = [
        (
            vec![0x83, 0x80, 0, 0, 0, 0],
            Fault::Protocol("an opcode that is not assigned"),
            1002,
        ),
        (vec![0x82, 0xfe, 0x10, 0, 0, 0, 0, 0], Fault::TooBig, 1009),
        (
            control::frame(PING, b"", Sender::Client).repeat(101),
            Fault::Flood,
            1008,
        ),
    ];
    for (bytes, fault, code) in table {
        let (mut client, mut server, task) = joined(BOUNDS);
        client.write_all(&bytes).await.expect("open");
        assert_eq!(
            frame(&mut client).await,
            (0x80 | CLOSE, u16::to_be_bytes(code).to_vec())
        );
        let end = loop {
            let (first, payload) = frame(&mut server).await;
            if first == 0x80 | CLOSE {
                break payload;
            }
        };
        assert_eq!(end, 1001_u16.to_be_bytes());
        drop((client, server));
        assert_eq!(
            task.await.expect("no panic"),
            Ending::Broke(Side::Client, fault)
        );
    }
}

#[tokio::test]
async fn idle_is_without_messages_whatever_pings_pass() {
    let bounds = Bounds {
        idle: 10 * SOON,
        ..BOUNDS
    };
    let (mut client, mut server, task) = joined(bounds);
    let ping = control::frame(PING, b"", Sender::Client);
    let closed = loop {
        // Gone in the end, which is what is waited for.
        let _sent = client.write_all(&ping).await;
        let (first, payload) = frame(&mut server).await;
        if first == 0x80 | CLOSE {
            break payload;
        }
        tokio::time::sleep(SOON).await;
    };
    assert_eq!(closed, 1001_u16.to_be_bytes());
    drop((client, server));
    assert_eq!(task.await.expect("no panic"), Ending::Idle);
}

#[tokio::test]
async fn a_close_goes_through_and_the_side_of_the_server_hangs_up() {
    let (mut client, mut server, task) = joined(BOUNDS);
    let close = control::close(4000, Sender::Client);
    client.write_all(&close).await.expect("open");
    assert_eq!(frame(&mut server).await.1, 4000_u16.to_be_bytes());
    let answer = control::close(4000, Sender::Server);
    server.write_all(&answer).await.expect("open");
    assert_eq!(frame(&mut client).await.1, 4000_u16.to_be_bytes());
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
    drop((client, server));
    assert_eq!(task.await.expect("no panic"), Ending::Closed(Side::Client));
}
