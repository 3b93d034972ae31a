//! Strict reading of HTTP/1 from the wire, under hyper's own parser.
//!
//! hyper forgives what a gateway must not: bare LF line ends, two Hosts, CL beside TE, `gzip, chunked`, NUL in a chunk
//! extension. By the time a service sees the request those bytes are gone. [`Framing`] walks the raw bytes with a
//! small state machine, follows message boundaries (RFC 9112) and reports the first fault with the number of the
//! message it is in. It holds a head back until it is complete, so that a bad one never reaches hyper.

use crate::refusal::Reason;

/// What is wrong with a message, and which one on its connection (the first is 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub message: u64,
    pub reason: Reason,
    /// Fit for the client.
    pub detail: &'static str,
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

/// How a body is framed (RFC 9112 section 6.3).
enum Body {
    None,
    Sized(u64),
    Chunked,
}

type Checked<T> = Result<T, (Reason, &'static str)>;

const MALFORMED: Reason = Reason::MalformedRequest;
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
                        Err((reason, detail)) => {
                            let fault = Fault {
                                message: self.messages + 1,
                                reason,
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
                    Err((reason, detail)) => {
                        let fault = Fault {
                            message: self.messages,
                            reason,
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
                        Reason::HeadTooLarge,
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
                    Reason::HeadTooLarge,
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
                    Reason::HeadTooLarge,
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
        let trailers_too_large = (Reason::HeadTooLarge, "the trailers are larger than allowed");
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

// === the head's lines ===

#[derive(Default)]
struct Fields {
    http_1_0: bool,
    length: Option<u64>,
    chunked: bool,
    hosts: u8,
}

/// Catches early what no further byte can mend, so that a stranger's garbage does not wait for a time-out.
fn check_line_so_far(line: &[u8], first: bool) -> Checked<()> {
    let bare_cr = memchr::memchr(b'\r', line).is_some_and(|i| i + 1 != line.len());
    let garbage = first
        && !line
            .first()
            .is_none_or(|b| is_token_byte(*b) || *b == b'\r');
    if bare_cr || garbage || memchr::memchr(0, line).is_some() {
        return Err((MALFORMED, "the request head is not valid"));
    }
    Ok(())
}

/// Checks `method SP target SP HTTP/1.x` (RFC 9112 section 3). True for HTTP/1.0.
fn request_line(line: &[u8]) -> Checked<bool> {
    let mut parts = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err((MALFORMED, "the request line is not `method target version`"));
    };
    if method.is_empty() || !method.iter().all(|b| is_token_byte(*b)) {
        return Err((MALFORMED, "the method is not a token"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err((
            MALFORMED,
            "the request target has a character that must be percent-encoded",
        ));
    }
    if target.contains(&b'#') {
        return Err((MALFORMED, "the request target has a fragment"));
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err((MALFORMED, "the HTTP version is not 1.0 or 1.1")),
    }
}

impl Fields {
    /// Reads one field line (RFC 9112 section 5).
    fn read(&mut self, line: &[u8]) -> Checked<()> {
        let bad = |detail| Err((MALFORMED, detail));
        let Some(colon) = memchr::memchr(b':', line) else {
            return bad("a header line has no colon");
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|b| is_token_byte(*b)) {
            return bad("a header name is not a token");
        }
        if line[colon + 1..].iter().any(|b| is_control(*b)) {
            return bad("a header value has a control character");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            return self.content_length(value);
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return self.transfer_encoding(value);
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 {
                return bad("the request has more than one Host");
            }
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Checked<()> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value)
            .ok()
            .filter(|_| digits)
            .and_then(|text| text.parse::<u64>().ok());
        match length {
            Some(_) if self.length.is_some() => {
                Err((MALFORMED, "the request has more than one Content-Length"))
            }
            // hyper keeps the top values for itself.
            Some(length) if length <= i64::MAX as u64 => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err((MALFORMED, "Content-Length is not a number of bytes")),
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Checked<()> {
        if self.chunked {
            return Err((MALFORMED, "the request has more than one Transfer-Encoding"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err((
                Reason::EncodingNotSupported,
                "the only transfer encoding supported is `chunked`",
            ));
        }
        self.chunked = true;
        Ok(())
    }

    fn body(&self) -> Checked<Body> {
        if !self.http_1_0 && self.hosts == 0 {
            return Err((MALFORMED, "the request has no Host"));
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err((
                MALFORMED,
                "the request has both Content-Length and Transfer-Encoding",
            )),
            (true, None) if self.http_1_0 => Err((MALFORMED, "HTTP/1.0 has no Transfer-Encoding")),
            (true, None) => Ok(Body::Chunked),
            (false, Some(length)) => Ok(Body::Sized(length)),
            (false, None) => Ok(Body::None),
        }
    }
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

fn is_control(b: u8) -> bool {
    b != b'\t' && b.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n";

    /// Feeds bytes as a connection would: a partial head is held and given again.
    fn feed(bytes: &[u8], step: usize) -> (u64, Option<Fault>) {
        let mut framing = Framing::new(4096);
        let mut held: Vec<u8> = Vec::new();
        for part in bytes.chunks(step) {
            held.extend_from_slice(part);
            match framing.read(&held) {
                Progress::Pass => held.clear(),
                Progress::Partial(from) => drop(held.drain(..from)),
                Progress::Bad { fault, .. } => return (framing.messages, Some(fault)),
            }
        }
        (framing.messages, None)
    }

    #[test]
    fn the_verdict_does_not_depend_on_how_the_bytes_arrive() {
        for step in 1..GOOD.len() {
            assert_eq!(feed(GOOD, step), (3, None), "step {step}");
        }
        let bad = [GOOD, b"GET /\nHost: a\r\n\r\n"].concat();
        for step in 1..bad.len() {
            let (messages, fault) = feed(&bad, step);
            assert_eq!(
                (messages, fault.map(|f| f.message)),
                (3, Some(4)),
                "step {step}"
            );
        }
    }

    #[test]
    fn no_input_makes_it_panic() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..20_000 {
            let mut bytes = GOOD.to_vec();
            for _ in 0..3 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let at = usize::try_from(seed % bytes.len() as u64).unwrap_or(0);
                bytes[at] = u8::try_from(seed >> 32 & 0xff).unwrap_or(0);
            }
            let whole = feed(&bytes, bytes.len());
            assert_eq!(
                whole.1.is_some(),
                feed(&bytes, 7).1.is_some(),
                "{:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}
