//! Strict reading of HTTP/1 from the wire, under hyper's own parser.
//!
//! hyper forgives what a gateway must not: bare LF line ends, two Hosts, CL beside TE, `gzip, chunked`, NUL in a chunk
//! extension. By the time a service sees the request those bytes are gone. [`Framing`] walks the raw bytes with a
//! small state machine, follows message boundaries (RFC 9112) and reports the first fault with the number of the
//! message it is in. It holds a head back until it is complete, so that a bad one never reaches hyper.

mod head;

pub use head::is_token_byte;
use head::{Body, Fields, check_line_so_far, request_line};

/// What is wrong with a message, and which one on its connection (the first is 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub message: u64,
    pub kind: FaultKind,
    /// Fit for the client.
    pub detail: &'static str,
}

/// What kind of fault; the floors above know the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Malformed,
    HeadTooLarge,
    /// A transfer coding besides `chunked`.
    Encoding,
    /// It took too long to arrive.
    TimedOut,
}

/// Follows one connection's requests.
#[derive(Debug)]
pub struct Framing {
    state: State,
    messages: u64,
    max_head: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// Bytes left of a body with Content-Length.
    Sized(u64),
    Chunk(Chunk),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// Digits seen and the value so far.
    Size(u8, u64),
    /// In the extension; the value.
    Extension(u64),
    /// CR seen after the size line; the value.
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// In the trailer section: bytes of the line so far, bytes of the section so far.
    Trailer(u32, u32),
    TrailerLf(u32, u32),
}

/// How far the bytes given are understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of them may go on.
    Pass,
    /// The bytes from this offset are a head that is not complete yet.
    Partial(usize),
    /// The message that begins or goes on at this offset is bad; nothing from here on may go on.
    Bad {
        from: usize,
        in_head: bool,
        fault: Fault,
    },
}

type Checked<T> = Result<T, (FaultKind, &'static str)>;

const MALFORMED: FaultKind = FaultKind::Malformed;
const MAX_FIELDS: usize = 100;
const MAX_TRAILERS: u32 = 16 * 1024;

// === impl Framing ===

impl Framing {
    pub fn new(max_head: usize) -> Framing {
        Framing {
            state: State::Head,
            messages: 0,
            max_head,
        }
    }

    /// True between two messages.
    pub fn is_idle(&self) -> bool {
        self.state == State::Head
    }

    /// How many messages began and were good.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Walks the next bytes of the connection. A head that is not complete must be given again, from its start,
    /// with more behind it.
    pub fn read(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self.state {
                State::Head => {
                    // RFC 9112 section 2.2: a server should ignore a CRLF before the request line.
                    if rest.starts_with(b"\r\n") {
                        at += 2;
                        continue;
                    }
                    match self.head(rest) {
                        Ok(Some(length)) => at += length,
                        Ok(None) => return Progress::Partial(at),
                        Err((kind, detail)) => {
                            let fault = Fault {
                                message: self.messages + 1,
                                kind,
                                detail,
                            };
                            return Progress::Bad {
                                from: at,
                                in_head: true,
                                fault,
                            };
                        }
                    }
                }
                State::Sized(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += usize::try_from(taken).expect("not more than the slice");
                    self.state = if taken == left {
                        State::Head
                    } else {
                        State::Sized(left - taken)
                    };
                }
                State::Chunk(chunk) => match self.chunked(chunk, rest) {
                    Ok(taken) => at += taken,
                    Err((kind, detail)) => {
                        let fault = Fault {
                            message: self.messages,
                            kind,
                            detail,
                        };
                        return Progress::Bad {
                            from: at,
                            in_head: false,
                            fault,
                        };
                    }
                },
            }
        }
        Progress::Pass
    }

    /// The length of a complete, correct head; None while it is incomplete.
    fn head(&mut self, bytes: &[u8]) -> Checked<Option<usize>> {
        let mut at = 0;
        let mut fields = Fields::default();
        let mut lines = 0;
        loop {
            let rest = &bytes[at..];
            let Some(lf) = memchr::memchr(b'\n', rest) else {
                if bytes.len() > self.max_head {
                    return Err((
                        FaultKind::HeadTooLarge,
                        "the request head is larger than allowed",
                    ));
                }
                check_line_so_far(rest, lines == 0)?;
                return Ok(None);
            };
            let line = rest[..lf]
                .strip_suffix(b"\r")
                .ok_or((MALFORMED, "a line of the request head does not end in CRLF"))?;
            at += lf + 1;
            if at > self.max_head {
                return Err((
                    FaultKind::HeadTooLarge,
                    "the request head is larger than allowed",
                ));
            }
            if lines == 0 {
                fields.http_1_0 = request_line(line)?;
            } else if line.is_empty() {
                break;
            } else {
                fields.read(line)?;
            }
            lines += 1;
            if lines > MAX_FIELDS + 1 {
                return Err((
                    FaultKind::HeadTooLarge,
                    "the request has too many header fields",
                ));
            }
        }
        self.state = match fields.body()? {
            Body::None | Body::Sized(0) => State::Head,
            Body::Sized(length) => State::Sized(length),
            Body::Chunked => State::Chunk(Chunk::Size(0, 0)),
        };
        self.messages += 1;
        Ok(Some(at))
    }

    /// Walks chunked coding (RFC 9112 section 7.1); gives back how many bytes it took.
    fn chunked(&mut self, mut chunk: Chunk, bytes: &[u8]) -> Checked<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if let Chunk::Data(left) = chunk {
                let taken = left.min((bytes.len() - at) as u64);
                at += usize::try_from(taken).expect("not more than the slice");
                chunk = if taken == left {
                    Chunk::DataCr
                } else {
                    Chunk::Data(left - taken)
                };
                continue;
            }
            let next = chunk.step(bytes[at])?;
            at += 1;
            match next {
                Some(next) => chunk = next,
                None => {
                    self.state = State::Head;
                    return Ok(at);
                }
            }
        }
        self.state = State::Chunk(chunk);
        Ok(at)
    }
}

// === impl Chunk ===

impl Chunk {
    /// One byte on. None after the last byte of the message.
    fn step(self, b: u8) -> Checked<Option<Chunk>> {
        let bad = (MALFORMED, "the chunked body is not valid");
        let trailers_too_large = (
            FaultKind::HeadTooLarge,
            "the trailers are larger than allowed",
        );
        Ok(Some(match (self, b) {
            (Chunk::Size(digits, value), _) if b.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(bad);
                }
                let digit = char::from(b).to_digit(16).expect("checked above");
                Chunk::Size(digits + 1, value << 4 | u64::from(digit))
            }
            (Chunk::Size(1.., value), b';') => Chunk::Extension(value),
            (Chunk::Size(1.., value) | Chunk::Extension(value), b'\r') => Chunk::SizeLf(value),
            (Chunk::Extension(value), b'\t' | b' '..=b'~' | 0x80..) => Chunk::Extension(value),
            (Chunk::SizeLf(0), b'\n') => Chunk::Trailer(0, 0),
            (Chunk::SizeLf(value), b'\n') if value <= i64::MAX as u64 => Chunk::Data(value),
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::Size(0, 0),
            (Chunk::Trailer(line, all), b'\r') => Chunk::TrailerLf(line, all),
            (Chunk::Trailer(_, MAX_TRAILERS), _) => return Err(trailers_too_large),
            (Chunk::Trailer(line, all), b'\t' | b' '..=b'~' | 0x80..) => {
                Chunk::Trailer(line + 1, all + 1)
            }
            (Chunk::TrailerLf(0, _), b'\n') => return Ok(None),
            (Chunk::TrailerLf(_, all), b'\n') => Chunk::Trailer(0, all),
            _ => return Err(bad),
        }))
    }
}

#[cfg(test)]
mod tests;
