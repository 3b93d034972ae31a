//! WebSocket frames as they pass (RFC 6455 section 5). Headers are read and judged where they lie in the buffer;
//! payloads of messages are counted and never looked at. Only control frames, which have at most 125 bytes, are held
//! until they are whole.

use std::time::{Duration, Instant};

use super::control::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, unmask};

/// What one end may send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Clients mask, servers do not (section 5.1).
    pub(super) masked: bool,
    pub(super) max_message: u64,
    /// `permessage-deflate` was agreed: the first frame of a message may set RSV1 (RFC 7692 section 6).
    pub(super) compressed: bool,
}

/// Follows the frames of one end.
#[derive(Debug)]
pub(super) struct Frames {
    rules: Rules,
    /// Payload bytes of the frame at hand that have not passed yet.
    left: u64,
    /// Payload of the message at hand so far; None between messages.
    message: Option<u64>,
    /// The end said Close: nothing may follow.
    closed: bool,
    budget: Budget,
}

/// How far some bytes are understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// Bytes at the front that may go on.
    pub(super) pass: usize,
    /// Bytes after those that are the beginning of a frame, to be given again with more behind them.
    pub(super) held: usize,
    /// The first place between two frames, among the bytes that may go on.
    pub(super) boundary: Option<usize>,
    /// Messages whose last frame began.
    pub(super) messages: u64,
    /// Some of it belongs to a message.
    pub(super) data: bool,
    /// A Close with its code.
    pub(super) close: Option<Option<u16>>,
    /// A pong to our own ping, which was taken out.
    pub(super) answered: bool,
    pub(super) fault: Option<Fault>,
}

/// Why a socket cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Protocol(&'static str),
    TooBig,
    Flood,
}

/// Frames per window of time that cost us, and the other end, more than their sender.
#[derive(Debug)]
struct Budget {
    left: u32,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    last: bool,
    reserved: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    length: u64,
    /// Bytes of the header itself.
    size: usize,
}

/// The longest frame that is held: a masked control frame.
pub(super) const LONGEST_HELD: usize = 2 + 4 + 125;
const RSV1: u8 = 0x40;
/// Browsers send none by themselves, libraries one in seconds.
const CHEAP_FRAMES: u32 = 100;
const CHEAP_WINDOW: Duration = Duration::from_secs(1);

// === impl Frames ===

impl Frames {
    pub(super) fn new(rules: Rules) -> Frames {
        Frames {
            rules,
            left: 0,
            message: None,
            closed: false,
            budget: Budget {
                left: CHEAP_FRAMES,
                until: Instant::now() + CHEAP_WINDOW,
            },
        }
    }

    /// All that was let pass ends with a whole frame.
    pub(super) fn between(&self) -> bool {
        self.left == 0
    }

    pub(super) fn has_closed(&self) -> bool {
        self.closed
    }

    /// Walks the next bytes. A pong with the payload `ours` is cut out of them.
    pub(super) fn walk(&mut self, bytes: &mut [u8], ours: Option<&[u8]>) -> Walked {
        let mut walked = Walked::default();
        let (mut at, mut end) = (0, bytes.len());
        loop {
            at += self.skip(end - at, &mut walked);
            if self.left == 0 {
                walked.boundary.get_or_insert(at);
            }
            walked.pass = at;
            if at == end || self.closed {
                return walked;
            }
            let Some(header) = Header::read(&bytes[at..end]) else {
                walked.held = end - at;
                return walked;
            };
            if let Err(fault) = self.judge(&header) {
                walked.fault = Some(fault);
                return walked;
            }
            if !header.is_control() {
                if let Err(fault) = self.begin(&header, &mut walked) {
                    walked.fault = Some(fault);
                    return walked;
                }
                at += header.size;
                continue;
            }
            let whole = header.size + usize::try_from(header.length).unwrap_or(LONGEST_HELD);
            if end - at < whole {
                walked.held = end - at;
                return walked;
            }
            if let Err(fault) = self.budget.spend() {
                walked.fault = Some(fault);
                return walked;
            }
            let mut payload = [0; 125];
            let payload = unmask(
                &bytes[at + header.size..at + whole],
                header.mask,
                &mut payload,
            );
            if header.opcode == PONG && ours.is_some_and(|ours| ours == payload) {
                walked.answered = true;
                bytes.copy_within(at + whole..end, at);
                end -= whole;
                continue;
            }
            if header.opcode == CLOSE {
                self.closed = true;
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                walked.close = Some(code);
            }
            at += whole;
        }
    }

    /// Lets the payload of the frame at hand pass.
    fn skip(&mut self, there: usize, walked: &mut Walked) -> usize {
        let skipped = there.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= skipped as u64;
        walked.data |= skipped > 0;
        skipped
    }

    /// What can be said of a frame by its header alone.
    fn judge(&self, header: &Header) -> Result<(), Fault> {
        if header.mask.is_some() != self.rules.masked {
            return Err(Fault::Protocol("the mask bit is wrong"));
        }
        let begins = header.opcode != CONTINUATION && !header.is_control();
        let allowed = if self.rules.compressed && begins {
            RSV1
        } else {
            0
        };
        if header.reserved & !allowed != 0 {
            return Err(Fault::Protocol("a reserved bit is set"));
        }
        match (header.opcode, self.message) {
            (CLOSE | PING | PONG, _) if !header.last => {
                Err(Fault::Protocol("a control frame is fragmented"))
            }
            (CLOSE | PING | PONG, _) if header.length > 125 => {
                Err(Fault::Protocol("a control frame is too long"))
            }
            (CLOSE | PING | PONG, _) => Ok(()),
            (CONTINUATION, None) => Err(Fault::Protocol("a continuation of no message")),
            (TEXT | BINARY, Some(_)) => Err(Fault::Protocol("a message begins inside of another")),
            (CONTINUATION | TEXT | BINARY, before) => {
                let size = before.unwrap_or(0).saturating_add(header.length);
                if size > self.rules.max_message {
                    return Err(Fault::TooBig);
                }
                Ok(())
            }
            _ => Err(Fault::Protocol("an opcode that is not assigned")),
        }
    }

    /// A frame of a message begins.
    fn begin(&mut self, header: &Header, walked: &mut Walked) -> Result<(), Fault> {
        if header.last {
            self.message = None;
            walked.messages += 1;
        } else {
            if header.length == 0 {
                self.budget.spend()?;
            }
            self.message = Some(self.message.unwrap_or(0) + header.length);
        }
        self.left = header.length;
        walked.data = true;
        Ok(())
    }
}

impl Header {
    /// None: not all of it is there.
    fn read(bytes: &[u8]) -> Option<Header> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (length, after) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let masked = second & 0x80 != 0;
        let mask = if masked {
            Some(*rest.get(after..)?.first_chunk()?)
        } else {
            None
        };
        Some(Header {
            last: first & 0x80 != 0,
            reserved: first & 0x70,
            opcode: first & 0x0f,
            mask,
            length,
            size: 2 + after + if masked { 4 } else { 0 },
        })
    }

    fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }
}

impl Budget {
    fn spend(&mut self) -> Result<(), Fault> {
        if self.left == 0 {
            let now = Instant::now();
            if now < self.until {
                return Err(Fault::Flood);
            }
            *self = Budget {
                left: CHEAP_FRAMES,
                until: now + CHEAP_WINDOW,
            };
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
