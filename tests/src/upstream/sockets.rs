//! A service of WebSockets that says what it saw. The path says how it behaves.

use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

use crate::client::websocket::{
    BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, Socket, TEXT, switching,
};
use crate::server::{ANY, Server};
use crate::wait;

/// What it saw, in order: `open TARGET`, `ping`, `pong`, `close CODE`, `end`.
type Seen = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
pub struct Sockets {
    server: Server,
    seen: Seen,
}

/// What `/page` and `/no` say instead of switching.
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage";
const NO: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";

impl Sockets {
    pub async fn start() -> Self {
        let seen = Seen::default();
        let shared = seen.clone();
        let server = Server::raw(ANY, move |stream| serve(stream, shared.clone())).await;
        let server = server.expect("loopback has free ports");
        Self { server, seen }
    }

    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen
            .lock()
            .expect("nothing panics under this lock")
            .clone()
    }

    /// Waits until it saw something; all it saw by then.
    pub async fn until(&self, what: &str) -> Vec<String> {
        wait::found(what, async || {
            let seen = self.seen();
            if seen.iter().any(|line| line == what) {
                Ok(seen)
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await
    }
}

async fn serve(stream: TcpStream, seen: Seen) {
    // A client that leaves is no event for a test service.
    let _slower = stream.set_nodelay(true);
    let saw = |line: String| {
        seen.lock()
            .expect("nothing panics under this lock")
            .push(line);
    };
    let Ok((socket, head)) = Socket::accept(stream, answer).await else {
        return;
    };
    let target = head.split(' ').nth(1).unwrap_or_default();
    saw(format!("open {target}"));
    if !["/page", "/no"].contains(&target) {
        converse(socket, target, &saw).await;
    }
    saw("end".into());
}

fn answer(head: &str) -> String {
    match head.split(' ').nth(1).unwrap_or_default() {
        "/page" => PAGE.into(),
        "/no" => NO.into(),
        "/wrong-accept" => switching(&head.replace("==", "=A"), ""),
        "/extension" => switching(head, "Sec-WebSocket-Extensions: x-unasked\r\n"),
        "/protocol" => switching(head, "Sec-WebSocket-Protocol: unasked\r\n"),
        "/chat" => switching(head, "Sec-WebSocket-Protocol: chat\r\n"),
        _ => switching(head, ""),
    }
}

async fn converse(mut socket: Socket, target: &str, saw: &impl Fn(String)) {
    while let Some(frame) = socket.next().await {
        let sent = match frame.opcode {
            CLOSE => {
                saw(format!("close {}", frame.code().unwrap_or_default()));
                // Of two that said Close, the server hangs up.
                let _left = socket.send(&frame).await;
                return;
            }
            PING => {
                saw("ping".into());
                let silent = target == "/silent";
                if silent {
                    continue;
                }
                socket.send(&Frame::new(PONG, frame.payload)).await
            }
            PONG => {
                saw("pong".into());
                continue;
            }
            TEXT if target == "/big" => socket.send(&Frame::text(&"x".repeat(100_000))).await,
            TEXT if target == "/wrong" => socket.write(&[0x83, 0]).await,
            TEXT if target == "/leave" => return,
            TEXT if target == "/close" => socket.send(&Frame::close(4000)).await,
            CONTINUATION | TEXT | BINARY => socket.send(&frame).await,
            other => panic!("opcode {other} came through"),
        };
        if sent.is_err() {
            return;
        }
    }
}
