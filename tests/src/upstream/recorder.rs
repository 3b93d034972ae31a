//! An upstream that keeps every byte it was sent and answers 200 to each request that is complete and strict.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::strict::{self, Parsed, Request};
use crate::server::{ANY, Server};

/// How long after the client's end something may still arrive here.
const SETTLE: Duration = Duration::from_millis(25);

/// What arrived since the last [`Recorder::take`].
#[derive(Debug, Default, Clone)]
pub struct Record {
    /// Complete requests, in order of arrival.
    pub requests: Vec<Request>,
    /// Why a connection's bytes are no request.
    pub faults: Vec<String>,
    /// All bytes of all connections, for the message of an assertion.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Recorder {
    server: Server,
    record: Arc<Mutex<Record>>,
}

// === impl Record ===

impl Record {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

// === impl Recorder ===

impl Recorder {
    pub async fn start() -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let shared = record.clone();
        let server = Server::raw(ANY, move |stream| {
            let record = shared.clone();
            // A connection that breaks has said all it had to say.
            async move { drop(listen(stream, record).await) }
        });
        Self {
            server: server.await.expect("loopback has free ports"),
            record,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits a moment for what is under way, then hands out the record and begins a new one.
    pub async fn take(&self) -> Record {
        tokio::time::sleep(SETTLE).await;
        mem::take(&mut self.record.lock().expect("nothing panics under this lock"))
    }
}

async fn listen(mut stream: TcpStream, record: Arc<Mutex<Record>>) -> io::Result<()> {
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&buffer[..read]);
        record
            .lock()
            .expect("nothing panics under this lock")
            .bytes
            .extend_from_slice(&buffer[..read]);
        loop {
            match strict::parse(&pending) {
                Parsed::Partial => break,
                Parsed::Complete(request, used) => {
                    pending.drain(..used);
                    let answer = answer(&request);
                    record
                        .lock()
                        .expect("nothing panics under this lock")
                        .requests
                        .push(*request);
                    stream.write_all(answer.as_bytes()).await?;
                }
                Parsed::Wrong(why) => {
                    record
                        .lock()
                        .expect("nothing panics under this lock")
                        .faults
                        .push(why);
                    return stream
                        .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                        .await;
                }
            }
        }
    }
}

/// 200 with the target as the body, so that a client can tell which answer belongs to which request.
fn answer(request: &Request) -> String {
    let body = if request.method == "HEAD" {
        ""
    } else {
        &request.target
    };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        request.target.len()
    )
}
