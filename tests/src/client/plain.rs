//! HTTP/1.1 over one connection, written as the test says and kept alive as long as the gateway keeps it.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::{self, Answer, Head};

/// No answer takes longer in any test; a gateway that hangs fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a raw exchange waits for more after an answer.
const QUIET: Duration = Duration::from_millis(150);

#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: S,
    pending: Vec<u8>,
}

/// What came back for raw bytes.
#[derive(Debug)]
pub struct Raw {
    pub answers: Vec<Answer>,
    /// Bytes after the last complete answer.
    pub leftover: usize,
    pub closed: bool,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            pending: Vec::new(),
        }
    }

    /// One request and its answer. Adds Host and Content-Length where the test names none.
    pub async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        self.write(&request(method, target, headers, body)).await?;
        self.answer(method).await
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next answer, which is one to `method`.
    pub async fn answer(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            if let Some((answer, used)) = answer::parse(&self.pending, method, false) {
                self.pending.drain(..used);
                return Ok(answer);
            }
            if self.read().await? == 0 {
                let last = answer::parse(&self.pending, method, true);
                return last
                    .map(|(answer, _)| answer)
                    .ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The head of the next answer; its body follows by [`Client::piece`].
    pub async fn head(&mut self, method: &str) -> io::Result<Head> {
        loop {
            if let Some(head) = answer::head(&self.pending, method) {
                self.pending.drain(..head.used);
                return Ok(head);
            }
            if self.read().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Some bytes of a body, none at the end of the connection.
    pub async fn piece(&mut self) -> io::Result<Vec<u8>> {
        if self.pending.is_empty() {
            self.read().await?;
        }
        Ok(std::mem::take(&mut self.pending))
    }

    /// Whether the gateway closes the connection within `patience`, sending nothing more.
    pub async fn closes_within(&mut self, patience: Duration) -> bool {
        matches!(
            timeout(patience, self.stream.read(&mut [0])).await,
            Ok(Ok(0) | Err(_))
        )
    }

    pub fn into_stream(self) -> S {
        self.stream
    }

    /// The connection, and what was read of it but not used.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.pending)
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.pending.reserve(64 * 1024);
        timeout(PATIENCE, self.stream.read_buf(&mut self.pending)).await?
    }
}

/// Sends raw bytes and collects what comes back: until the connection closes, until `patience` is over, or
/// until it is quiet after an answer.
pub async fn raw(address: SocketAddr, bytes: &[u8], patience: Duration) -> Raw {
    let client = Client::connect(address).await.expect("the gateway listens");
    raw_over(client, bytes, patience).await
}

/// The same on a connection that is open.
pub async fn raw_over<S>(mut client: Client<S>, bytes: &[u8], patience: Duration) -> Raw
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A gateway may answer and close before it has read everything.
    let _refused = client.write(bytes).await;
    let (mut all, mut closed) = (Vec::new(), false);
    let mut wait = patience;
    while let Ok(read) = timeout(wait, client.piece()).await {
        let piece = read.unwrap_or_default();
        if piece.is_empty() {
            closed = true;
            break;
        }
        all.extend(piece);
        wait = QUIET;
    }
    let (answers, leftover) = answer::answers(&all, closed);
    Raw {
        answers,
        leftover,
        closed,
    }
}

/// A request on a connection of its own.
pub async fn once(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut client = Client::connect(address).await.expect("the gateway listens");
    let answer = client.ask(method, target, headers, body).await;
    answer.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
}

/// The bytes of a request.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let named = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !named("host") {
        text.push_str("Host: gate.test\r\n");
    }
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").expect("a String takes everything");
    }
    if !body.is_empty() && !named("transfer-encoding") && !named("content-length") {
        write!(text, "Content-Length: {}\r\n", body.len()).expect("a String takes everything");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
