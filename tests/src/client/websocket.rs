//! WebSocket frame by frame, in either role, so that a test says and sees every one of them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Client;
use super::answer::Answer;
use super::plain::request;
use crate::wait;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// No frame takes longer in any test; a client that hangs fails the test instead of hanging it. A service waits for as
/// long as its client likes.
const PATIENCE: Duration = Duration::from_secs(30);
const SERVICE_PATIENCE: Duration = Duration::from_secs(3600);
/// The key of RFC 6455 section 1.3, and a mask that is easy to recognize.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [1, 2, 3, 4];

/// A frame as it was or will be on the wire, its payload in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub last: bool,
    /// RSV1 to RSV3, as bits 4, 2, 1.
    pub reserved: u8,
    pub opcode: u8,
    pub masked: bool,
    pub payload: Vec<u8>,
}

/// One end of a WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    pending: Vec<u8>,
    masks: bool,
}

// === impl Frame ===

impl Frame {
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            last: true,
            reserved: 0,
            opcode,
            masked: true,
            payload: payload.into(),
        }
    }

    pub fn text(text: &str) -> Self {
        Self::new(TEXT, text)
    }

    pub fn close(code: u16) -> Self {
        Self::new(CLOSE, code.to_be_bytes())
    }

    /// As the next part of a message.
    pub fn continuing(mut self) -> Self {
        self.opcode = CONTINUATION;
        self
    }

    /// With more of its message to come.
    pub fn unfinished(mut self) -> Self {
        self.last = false;
        self
    }

    pub fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    pub fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// The code of a Close.
    pub fn code(&self) -> Option<u16> {
        self.payload
            .first_chunk()
            .map(|code| u16::from_be_bytes(*code))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let mut bytes = vec![u8::from(self.last) << 7 | self.reserved << 4 | self.opcode];
        match self.payload.len() {
            short @ ..126 => bytes.push(mask_bit | u8::try_from(short).expect("below 126")),
            middle @ 126..=0xffff => {
                bytes.push(mask_bit | 126);
                bytes.extend(u16::try_from(middle).expect("checked").to_be_bytes());
            }
            long => {
                bytes.push(mask_bit | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            bytes.extend(
                self.payload
                    .iter()
                    .zip(MASK.iter().cycle())
                    .map(|(b, m)| b ^ m),
            );
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }

    /// The first frame of `bytes` and its length, if it is whole.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (length, extended) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let masked = second & 0x80 != 0;
        let mut mask = [0; 4];
        let begin = extended + if masked { 4 } else { 0 };
        if masked {
            mask = *rest.get(extended..)?.first_chunk()?;
        }
        let end = begin + usize::try_from(length).ok()?;
        let payload = rest.get(begin..end)?;
        let frame = Self {
            last: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 0xf,
            masked,
            payload: payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(b, m)| b ^ m)
                .collect(),
        };
        Some((frame, 2 + end))
    }
}

// === impl Socket ===

impl Socket {
    /// A client's socket; the answer where it is not a 101.
    pub async fn open(
        address: SocketAddr,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Answer> {
        let (client, answer) = Self::ask(address, target, headers).await;
        if answer.status == 101 {
            let (stream, pending) = client.into_parts();
            Ok(Self {
                stream,
                pending,
                masks: true,
            })
        } else {
            Err(answer)
        }
    }

    /// The handshake alone. `headers` come on top of those that every handshake has.
    pub async fn ask(
        address: SocketAddr,
        target: &str,
        headers: &[(&str, &str)],
    ) -> (Client, Answer) {
        let mut all = vec![("connection", "upgrade"), ("upgrade", "websocket")];
        for own in [("sec-websocket-version", "13"), ("sec-websocket-key", KEY)] {
            if !headers.iter().any(|(name, _)| *name == own.0) {
                all.push(own);
            }
        }
        all.extend(headers.iter().filter(|(_, value)| !value.is_empty()));
        let mut client = Client::connect(address).await.expect("somebody listens");
        let bytes = request("GET", target, &all, b"");
        client.write(&bytes).await.expect("it is connected");
        let answer = client.answer("GET").await.expect("an answer");
        (client, answer)
    }

    /// A server's socket on an accepted connection: the request head, and the answer as a whole from `answer`.
    pub async fn accept(
        mut stream: TcpStream,
        answer: impl FnOnce(&str) -> String,
    ) -> io::Result<(Self, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // Byte by byte: nothing that follows the head may be taken.
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        stream.write_all(answer(&head).as_bytes()).await?;
        let socket = Self {
            stream,
            pending: Vec::new(),
            masks: false,
        };
        Ok((socket, head))
    }

    /// Sends a frame, masked as this role has to.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let mut frame = frame.clone();
        frame.masked = self.masks;
        self.write(&frame.bytes()).await
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next frame; None at the end of the connection, however it came.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, used)) = Frame::parse(&self.pending) {
                self.pending.drain(..used);
                if self.pending.is_empty() {
                    // Thousands of idle sockets hold no memory.
                    self.pending = Vec::new();
                }
                return Some(frame);
            }
            let mut some = [0; 4096];
            // Clients mask what they send (RFC 6455 section 5.3), services do not.
            let patience = if self.masks {
                PATIENCE
            } else {
                SERVICE_PATIENCE
            };
            let read = timeout(patience, self.stream.read(&mut some)).await;
            match read.expect("a frame or the end, in time") {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.pending.extend_from_slice(&some[..n]),
            }
        }
    }

    /// The connection, for whoever counts bytes instead of frames.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Whether a text comes back, whatever else does.
    pub async fn echoes(&mut self, text: &str) -> bool {
        if self.send(&Frame::text(text)).await.is_err() {
            return false;
        }
        let echo = async {
            while let Some(frame) = self.next().await {
                if frame.opcode == TEXT && frame.payload == text.as_bytes() {
                    return true;
                }
            }
            false
        };
        wait::within("an echo", echo).await
    }

    /// Reads until the peer says Close; its code. None: it left without.
    pub async fn until_close(&mut self) -> Option<u16> {
        let close = async {
            loop {
                let frame = self.next().await?;
                if frame.opcode == CLOSE {
                    return frame.code();
                }
            }
        };
        wait::within("a Close", close).await
    }
}

/// The value of a header in a head, by its lower-case name.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

/// A 101 for a request head, with more lines.
pub fn switching(head: &str, more: &str) -> String {
    let key = header(head, "sec-websocket-key").unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}
