//! The client of the measurements: one connection, one request or message at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::cargo::says;

use super::rows::{Ask, Row};

/// Bytes of a response's body and of a message.
pub(super) const BODY: usize = 1024;
/// The same in a head.
pub(super) const LENGTH: &str = "1024";
/// Under valgrind the first requests take seconds, because their code is translated.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// The key of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [1, 2, 3, 4];
/// A server's frame with a length of 16 bits.
const FRAME_HEAD: usize = 4;

pub(super) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    /// The bytes that are sent each time.
    question: Vec<u8>,
    ask: Ask,
    proof: Option<&'static str>,
    /// The last response.
    received: Vec<u8>,
}

impl Client {
    /// Connects as a row wants it; a WebSocket is opened.
    pub(super) fn open(address: SocketAddr, row: &Row, credential: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = |lines: &str| {
            format!(
                "GET {} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n",
                row.path
            )
        };
        let mut client = Self {
            address,
            stream,
            question: match row.ask {
                Ask::Request | Ask::Http2 => head("").into_bytes(),
                Ask::WithCredential => {
                    head(&format!("Authorization: {credential}\r\n")).into_bytes()
                }
                Ask::Message => message(),
            },
            ask: row.ask,
            proof: row.proof,
            received: Vec::new(),
        };
        if row.ask == Ask::Message {
            client.upgrade(&head(&format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
            )))?;
        }
        Ok(client)
    }

    /// So many requests, each answered before the next is sent.
    pub(super) fn ask(&mut self, times: usize) -> io::Result<()> {
        if self.ask == Ask::Http2 {
            return http2(self.address, times);
        }
        for _ in 0..times {
            self.stream.write_all(&self.question)?;
            match self.ask {
                Ask::Message => self.echo()?,
                _ => self.response()?,
            }
        }
        Ok(())
    }

    /// Fails if the last response has no sign of what the row is about.
    pub(super) fn prove(&self) -> io::Result<()> {
        let body = self.received.len().saturating_sub(BODY);
        match self.proof {
            Some(name) if header(&self.received[..body], name).is_none() => {
                Err(self.unexpected(name))
            }
            _ => Ok(()),
        }
    }

    fn upgrade(&mut self, head: &str) -> io::Result<()> {
        self.stream.write_all(head.as_bytes())?;
        self.head()?;
        if self.received.starts_with(b"HTTP/1.1 101 ") {
            Ok(())
        } else {
            Err(self.unexpected("101"))
        }
    }

    fn response(&mut self) -> io::Result<()> {
        let end = self.head()?;
        if !self.received.starts_with(b"HTTP/1.1 200 ") {
            return Err(self.unexpected("200"));
        }
        let length = header(&self.received[..end], "content-length");
        if length != Some(LENGTH) {
            return Err(self.unexpected("1 KiB"));
        }
        self.at_least(end + BODY)
    }

    fn echo(&mut self) -> io::Result<()> {
        self.received.clear();
        self.at_least(FRAME_HEAD + BODY)?;
        if self.received[FRAME_HEAD..] == [b'x'; BODY] {
            Ok(())
        } else {
            Err(io::Error::other("the echo is not what was sent"))
        }
    }

    /// Reads a head, and what came with it; where the head ends.
    fn head(&mut self) -> io::Result<usize> {
        const END: &[u8] = b"\r\n\r\n";
        self.received.clear();
        loop {
            let found = self.received.windows(END.len()).position(|at| at == END);
            if let Some(at) = found {
                return Ok(at + END.len());
            }
            self.at_least(self.received.len() + 1)?;
        }
    }

    fn at_least(&mut self, bytes: usize) -> io::Result<()> {
        let mut some = [0; 16 * 1024];
        while self.received.len() < bytes {
            match self.stream.read(&mut some)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.received.extend_from_slice(&some[..n]),
            }
        }
        Ok(())
    }

    fn unexpected(&self, wanted: &str) -> io::Error {
        let said = String::from_utf8_lossy(&self.received);
        io::Error::other(format!("{wanted} was expected, not {said}"))
    }
}

/// So many requests by h2load, one after the other, on a connection of its own.
fn http2(address: SocketAddr, times: usize) -> io::Result<()> {
    let mut h2load = Command::new("h2load");
    h2load.args(["-t1", "-c1", "-m1", "-n", &times.to_string()]);
    let said = says(h2load.arg(format!("https://{address}/plain"))).unwrap_or_default();
    let all = [
        format!(" {times} succeeded, 0 failed"),
        format!("status codes: {times} 2xx"),
    ];
    if all.iter().all(|all| said.contains(all)) {
        Ok(())
    } else {
        Err(io::Error::other(format!("h2load says {said:?}")))
    }
}

/// A masked binary message, as RFC 6455 section 5.2 has it.
fn message() -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | 126];
    frame.extend((BODY as u16).to_be_bytes());
    frame.extend(MASK);
    frame.extend(MASK.iter().cycle().take(BODY).map(|mask| b'x' ^ mask));
    frame
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let head = std::str::from_utf8(head).ok()?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::super::upstream;
    use super::*;

    #[test]
    fn the_upstream_answers_each_request_of_the_client() {
        let address = upstream::start().expect("it listens");
        let row = Row::named("plain").expect("a row");
        let mut client = Client::open(address, row, "").expect("it connects");
        client.ask(3).expect("three responses");
        client.prove().expect("there is nothing to prove");
    }

    #[test]
    fn a_response_that_does_not_come_from_the_cache_is_no_cached_hit() {
        let address = upstream::start().expect("it listens");
        let row = Row::named("cached").expect("a row");
        let mut client = Client::open(address, row, "").expect("it connects");
        client.ask(2).expect("two responses");
        let failure = client.prove().expect_err("it has no Age");
        assert!(
            failure
                .to_string()
                .starts_with("age was expected, not HTTP/1.1 200 OK")
        );
    }

    #[test]
    fn a_message_is_one_masked_frame() {
        let frame = message();
        assert_eq!(frame.len(), 2 + 2 + 4 + BODY);
        assert_eq!(frame[8..12], [b'x' ^ 1, b'x' ^ 2, b'x' ^ 3, b'x' ^ 4]);
    }
}
