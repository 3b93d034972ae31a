//! One HTTP/2 request in raw frames, for requests that no client library would send.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_MAX_FRAME_SIZE until told otherwise (RFC 9113 section 6.5.2).
const MAX_FRAME: usize = 16_384;
const STREAM: u32 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A request whose parts may be anything.
#[derive(Debug, Default)]
pub struct Request {
    /// Pseudo-headers too, in order; bytes, because names may be wrong.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    pub trailers: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// How the gateway answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    /// The error code of RST_STREAM.
    Reset(u32),
    /// The error code of GOAWAY.
    GoAway(u32),
    Closed,
    Silence,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

// === impl Request ===

impl Request {
    /// Sends it on a connection of its own and waits for the first thing that decides it.
    pub async fn send(&self, address: SocketAddr, patience: Duration) -> Outcome {
        let stream = TcpStream::connect(address).await;
        self.send_over(stream.expect("the gateway listens"), patience)
            .await
    }

    /// The same on a connection that is open and new.
    pub async fn send_over<S>(&self, mut stream: S, patience: Duration) -> Outcome
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // A gateway that closes while it is written to has answered; what it said is still read.
        let _refused = stream.write_all(&self.bytes()).await;
        match timeout(patience, outcome(&mut stream)).await {
            Ok(outcome) => outcome.unwrap_or(Outcome::Closed),
            Err(_) => Outcome::Silence,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        push_frame(&mut bytes, SETTINGS, 0, 0, &[]);
        let bodiless = self.body.is_none() && self.trailers.is_none();
        push_headers(&mut bytes, &self.headers, bodiless);
        if let Some(body) = &self.body {
            let last = if self.trailers.is_none() {
                END_STREAM
            } else {
                0
            };
            push_frame(&mut bytes, DATA, last, STREAM, body);
        }
        if let Some(trailers) = &self.trailers {
            push_headers(&mut bytes, trailers, true);
        }
        bytes
    }
}

async fn outcome<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Outcome> {
    // Dynamic table updates must be seen in order, so there is one decoder per connection.
    let mut decoder = loona_hpack::Decoder::new();
    let mut block = Vec::new();
    loop {
        let frame = read_frame(stream).await?;
        match (frame.kind, frame.stream) {
            (SETTINGS, 0) if frame.flags & ACK == 0 => {
                let mut acknowledged = Vec::new();
                push_frame(&mut acknowledged, SETTINGS, ACK, 0, &[]);
                stream.write_all(&acknowledged).await?;
            }
            (RST_STREAM, STREAM) => return Ok(Outcome::Reset(number(&frame.payload))),
            // The last stream's number comes first, then the error code.
            (GOAWAY, _) => {
                return Ok(Outcome::GoAway(number(
                    frame.payload.get(4..).unwrap_or_default(),
                )));
            }
            (HEADERS | CONTINUATION, STREAM) => {
                block.extend_from_slice(&frame.payload);
                if frame.flags & END_HEADERS != 0 {
                    let status = status(&mut decoder, &std::mem::take(&mut block));
                    if status >= 200 {
                        return Ok(Outcome::Status(status));
                    }
                }
            }
            _ => {}
        }
    }
}

fn status(decoder: &mut loona_hpack::Decoder<'_>, block: &[u8]) -> u16 {
    let fields = decoder
        .decode(block)
        .unwrap_or_else(|error| panic!("response headers: {error:?}"));
    let status = fields
        .iter()
        .find(|(name, _)| name == b":status")
        .map(|(_, value)| value);
    let text = String::from_utf8_lossy(status.expect("a response has a status")).into_owned();
    text.parse()
        .unwrap_or_else(|error| panic!("status {text:?}: {error}"))
}

async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let [a, b, c, kind, flags, stream_id @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await?;
    Ok(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream_id) & 0x7fff_ffff,
        payload,
    })
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn push_headers(bytes: &mut Vec<u8>, headers: &[(Vec<u8>, Vec<u8>)], last: bool) {
    let block: Vec<u8> = headers
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect();
    let pieces: Vec<_> = block.chunks(MAX_FRAME).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        let ends = if index + 1 == pieces.len() {
            END_HEADERS
        } else {
            0
        };
        let end_stream = if index == 0 && last { END_STREAM } else { 0 };
        push_frame(bytes, kind, ends | end_stream, STREAM, piece);
    }
}

fn push_frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("frames here are small");
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// Literal header field without indexing, new name, no Huffman (RFC 7541 section 6.2.2).
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        push_length(&mut bytes, text.len());
        bytes.extend_from_slice(text);
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    let byte = |value: usize| u8::try_from(value).expect("below 256 by construction");
    if length < 127 {
        bytes.push(byte(length));
        return;
    }
    bytes.push(127);
    length -= 127;
    while length >= 128 {
        bytes.push(byte(length % 128 + 128));
        length /= 128;
    }
    bytes.push(byte(length));
}
