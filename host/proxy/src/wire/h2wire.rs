//! Strict reading of HTTP/2 from the wire, under the h2 crate: a second look at every header block, for what is lost
//! by the time a service sees the request (a fragment in `:path`, white space around a value, pseudo-headers in
//! trailers), and a budget for frames that cost us more than the client. A connection with a fault is closed, which
//! RFC 9113 section 5.4.2 allows for any stream error.

use std::time::{Duration, Instant};

use portcullis_syntax::hpack::Decoder;
use portcullis_syntax::wire::is_token_byte;

/// Follows the frames that a client sends.
pub struct Frames {
    state: State,
    /// Header block being collected, with the stream it is for.
    block: Vec<u8>,
    block_stream: u32,
    /// HEADERS came and CONTINUATION is to follow.
    in_block: bool,
    moved: bool,
    last_stream: u32,
    max_block: usize,
    decoder: Decoder,
    budget: Budget,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Preface(usize),
    Header([u8; 9], usize),
    Payload { left: usize, block: Option<Block> },
}

/// Follows the frames that go out, for whether anything but housekeeping does.
#[derive(Debug, Default)]
pub struct Sent {
    header: [u8; 9],
    seen: usize,
    left: usize,
}

/// Where in a HEADERS payload we are.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Pad length still to be read, then priority bytes still to be skipped.
    wants_padding: bool,
    skip: usize,
    padding: usize,
    ends: bool,
}

/// Cheap frames per window of time.
struct Budget {
    left: u32,
    until: Instant,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const HAS_PRIORITY: u8 = 0x20;

/// RFC 9113 leaves it to us how many; a browser needs a handful.
const CHEAP_FRAMES: u32 = 500;
const CHEAP_WINDOW: Duration = Duration::from_secs(1);

type Checked<T> = Result<T, &'static str>;

// === impl Frames ===

impl Frames {
    /// `max_block` bounds a decoded header list, in bytes.
    pub fn new(max_block: usize) -> Frames {
        Frames {
            state: State::Preface(0),
            block: Vec::new(),
            block_stream: 0,
            in_block: false,
            moved: false,
            last_stream: 0,
            max_block,
            decoder: Decoder::default(),
            budget: Budget {
                left: CHEAP_FRAMES,
                until: Instant::now() + CHEAP_WINDOW,
            },
        }
    }

    /// The preface or a header block has begun and is not complete.
    pub fn is_in_head(&self) -> bool {
        match self.state {
            State::Preface(_) => true,
            State::Header(..) => self.in_block,
            State::Payload { block, .. } => self.in_block || block.is_some(),
        }
    }

    /// Whether a message went on since this was asked last.
    pub fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Walks the next bytes; the fault, if they hold one.
    pub fn read(&mut self, mut bytes: &[u8]) -> Checked<()> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Preface(seen) => self.preface(seen, bytes)?,
                State::Header(header, seen) => self.header(header, seen, bytes)?,
                State::Payload { left, block } => self.payload(left, block, bytes)?,
            };
        }
        Ok(())
    }

    fn preface<'a>(&mut self, seen: usize, bytes: &'a [u8]) -> Checked<&'a [u8]> {
        let n = bytes.len().min(PREFACE.len() - seen);
        if bytes[..n] != PREFACE[seen..seen + n] {
            return Err("not the HTTP/2 preface");
        }
        self.state = if seen + n == PREFACE.len() {
            State::Header([0; 9], 0)
        } else {
            State::Preface(seen + n)
        };
        Ok(&bytes[n..])
    }

    fn header<'a>(
        &mut self,
        mut header: [u8; 9],
        seen: usize,
        bytes: &'a [u8],
    ) -> Checked<&'a [u8]> {
        let n = bytes.len().min(9 - seen);
        header[seen..seen + n].copy_from_slice(&bytes[..n]);
        self.state = State::Header(header, seen + n);
        if seen + n == 9 {
            self.begin(header)?;
        }
        Ok(&bytes[n..])
    }

    /// A frame header is complete.
    fn begin(&mut self, header: [u8; 9]) -> Checked<()> {
        let length = length(&header);
        let (kind, flags) = (header[3], header[4]);
        let stream = u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]);
        // An empty DATA that ends its stream costs a stream, of which there are few; clients of gRPC send many.
        let empty = kind == DATA && length == 0 && flags & END_STREAM == 0;
        if empty || matches!(kind, PRIORITY | RST_STREAM | SETTINGS | PING) {
            self.budget.spend()?;
        }
        self.moved |= matches!(kind, DATA | HEADERS);
        let block = match kind {
            HEADERS => {
                self.block.clear();
                self.block_stream = stream;
                let skip = if flags & HAS_PRIORITY == 0 { 0 } else { 5 };
                Some(Block {
                    wants_padding: flags & PADDED != 0,
                    skip,
                    padding: 0,
                    ends: flags & END_HEADERS != 0,
                })
            }
            CONTINUATION => Some(Block {
                wants_padding: false,
                skip: 0,
                padding: 0,
                ends: flags & END_HEADERS != 0,
            }),
            _ => None,
        };
        self.state = State::Payload {
            left: length,
            block,
        };
        if length == 0 { self.end(block) } else { Ok(()) }
    }

    fn payload<'a>(
        &mut self,
        left: usize,
        mut block: Option<Block>,
        bytes: &'a [u8],
    ) -> Checked<&'a [u8]> {
        let n = bytes.len().min(left);
        let mut part = &bytes[..n];
        if let Some(block) = &mut block {
            if block.wants_padding
                && let Some((&padding, rest)) = part.split_first()
            {
                block.wants_padding = false;
                block.padding = usize::from(padding);
                part = rest;
            }
            let skipped = block.skip.min(part.len());
            block.skip -= skipped;
            self.block.extend_from_slice(&part[skipped..]);
            if self.block.len() > self.max_block {
                return Err("the header block is larger than allowed");
            }
        }
        if n == left {
            self.end(block)?;
        } else {
            self.state = State::Payload {
                left: left - n,
                block,
            };
        }
        Ok(&bytes[n..])
    }

    /// A frame's payload is complete.
    fn end(&mut self, block: Option<Block>) -> Checked<()> {
        self.state = State::Header([0; 9], 0);
        let Some(block) = block else { return Ok(()) };
        let unpadded = self
            .block
            .len()
            .checked_sub(block.padding)
            .ok_or("more padding than payload")?;
        self.block.truncate(unpadded);
        self.in_block = !block.ends;
        if self.in_block {
            return Ok(());
        }
        let trailers = self.block_stream <= self.last_stream;
        self.last_stream = self.last_stream.max(self.block_stream);
        self.check_block(trailers)
    }

    fn check_block(&mut self, trailers: bool) -> Checked<()> {
        let mut fault = None;
        let (mut size, max, mut hosts) = (0, self.max_block, 0);
        let decoded = self.decoder.decode(&self.block, |name, value| {
            size += name.len() + value.len() + 32;
            hosts += usize::from(name == b"host");
            let checked = if size > max {
                Err("the header list is larger than allowed")
            } else {
                check_field(name, value, trailers)
            };
            if let Err(text) = checked {
                fault.get_or_insert(text);
            }
        });
        if decoded.is_err() {
            return Err("the header block is not valid HPACK");
        }
        if hosts > 1 {
            return Err("the request has more than one Host");
        }
        fault.map_or(Ok(()), Err)
    }
}

// === impl Sent ===

impl Sent {
    /// Walks the next bytes; whether any of them belong to a message.
    pub fn read(&mut self, mut bytes: &[u8]) -> bool {
        let mut moved = false;
        while !bytes.is_empty() {
            let n = bytes.len().min(9 - self.seen);
            self.header[self.seen..self.seen + n].copy_from_slice(&bytes[..n]);
            self.seen += n;
            bytes = &bytes[n..];
            if self.seen < 9 {
                break;
            }
            if n > 0 {
                self.left = length(&self.header);
            }
            let part = self.left.min(bytes.len());
            moved |= part > 0 && matches!(self.header[3], DATA | HEADERS);
            self.left -= part;
            bytes = &bytes[part..];
            if self.left == 0 {
                self.seen = 0;
            }
        }
        moved
    }
}

fn length(header: &[u8; 9]) -> usize {
    usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2])
}

/// RFC 9113 sections 8.2 and 8.3.
fn check_field(name: &[u8], value: &[u8], trailers: bool) -> Checked<()> {
    let pseudo = name.first() == Some(&b':');
    if pseudo && trailers {
        return Err("a pseudo-header in trailers");
    }
    let bare = if pseudo { &name[1..] } else { name };
    let lower = |b: &u8| is_token_byte(*b) && !b.is_ascii_uppercase();
    if bare.is_empty() || !bare.iter().all(lower) {
        return Err("a header name is not valid");
    }
    // Looks at all bytes, whatever it finds: so the compiler takes many at a time.
    let ends = |bad, b: &u8| bad | matches!(b, b'\r' | b'\n' | 0);
    if value.iter().fold(false, ends) || value.trim_ascii().len() != value.len() {
        return Err("a header value is not valid");
    }
    let visible = || value.iter().all(|b| b.is_ascii_graphic() && *b != b'#');
    match name {
        b":path" if !visible() => Err("the path has a character that must be percent-encoded"),
        b":scheme" if !matches!(value, b"http" | b"https") => {
            Err("the scheme is not http or https")
        }
        b":authority" if !visible() => Err("the authority is not valid"),
        _ => Ok(()),
    }
}

impl Budget {
    fn spend(&mut self) -> Checked<()> {
        let now = Instant::now();
        if now >= self.until {
            *self = Budget {
                left: CHEAP_FRAMES,
                until: now + CHEAP_WINDOW,
            };
        }
        self.left = self.left.checked_sub(1).ok_or("too many control frames")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn housekeeping_is_no_message_however_the_bytes_are_cut() {
        let settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
        let ping = b"\x00\x00\x08\x06\x01\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01\x01\x01";
        let data = b"\x00\x00\x03\x00\x00\x00\x00\x00\x01abc";
        let empty = b"\x00\x00\x00\x00\x01\x00\x00\x00\x01";
        let quiet = [&settings[..], ping, empty, ping].concat();
        let loud = [&quiet[..], data, &quiet].concat();
        for step in 1..loud.len() {
            let mut sent = Sent::default();
            let moved = quiet.chunks(step).filter(|part| sent.read(part)).count();
            assert_eq!(moved, 0, "step {step}");
            let moved = loud.chunks(step).filter(|part| sent.read(part)).count();
            assert!((1..=3).contains(&moved), "step {step}: {moved}");
        }
    }
}
