//! One direction of a tunnel: read, judge, write. An idle direction holds no memory but for what could not be written.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::control::{self, PING, Sender};
use super::ending::Side;
use super::frames::{Fault, Frames, LONGEST_HELD, Rules, Walked};
use crate::ground::scratch;
use crate::observe::record::Passed;

/// From one end, the source, to the other, the sink.
#[derive(Debug)]
pub(super) struct Way {
    source: Side,
    frames: Frames,
    /// The beginning of a frame that was not whole.
    held: Vec<u8>,
    /// Bytes for the sink that it did not take yet, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// Frames of our own for the sink, for the next place between two frames.
    ping: Option<Vec<u8>>,
    close: Option<Vec<u8>>,
    /// The payload of our ping that the source has not answered yet.
    pub(super) asked: Option<[u8; 8]>,
    /// A Close went to the sink; nothing may follow.
    pub(super) said_close: bool,
    /// The source sent what cannot be followed any more; what comes is thrown away.
    pub(super) deaf: bool,
    /// The source has ended.
    pub(super) ended: bool,
    /// The sink knows that nothing follows.
    pub(super) shut: bool,
    /// The last time that the sink took bytes while some were waiting.
    pub(super) moved: Instant,
    pub(super) passed: Passed,
}

/// What a poll of a direction came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The source was heard.
    Heard {
        data: bool,
    },
    /// The source said Close.
    Close(Option<u16>),
    Fault(Fault),
    /// The source ended.
    Ended,
    /// The sink was told that nothing follows; this direction is done.
    Shut,
}

// === impl Way ===

impl Way {
    pub(super) fn new(source: Side, rules: Rules) -> Way {
        Way {
            source,
            frames: Frames::new(rules),
            held: Vec::new(),
            waiting: Vec::new(),
            written: 0,
            unflushed: false,
            ping: None,
            close: None,
            asked: None,
            said_close: false,
            deaf: false,
            ended: false,
            shut: false,
            moved: Instant::now(),
            passed: Passed::default(),
        }
    }

    /// Pings the sink as soon as no frame is under way to it.
    pub(super) fn ping(&mut self, payload: &[u8]) {
        if self.close.is_none() && !self.said_close {
            self.ping = Some(control::frame(PING, payload, self.sender()));
        }
    }

    /// Says Close to the sink as soon as no frame is under way to it, unless one was said.
    pub(super) fn close(&mut self, code: u16) {
        if !self.said_close && self.close.is_none() {
            self.ping = None;
            self.close = Some(control::close(code, self.sender()));
        }
    }

    pub(super) fn has_closed(&self) -> bool {
        self.frames.has_closed()
    }

    /// The sink has not taken all that it was given.
    pub(super) fn is_stuck(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A ping has not left yet.
    pub(super) fn ping_waits(&self) -> bool {
        self.ping.is_some() || self.is_stuck()
    }

    fn sink(&self) -> Side {
        match self.source {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    /// As whom we write to the sink.
    fn sender(&self) -> Sender {
        match self.source {
            Side::Client => Sender::Client,
            Side::Server => Sender::Server,
        }
    }

    /// Moves bytes until one of the ends has to be waited for or something is to be told. `over`: once all is
    /// written, the sink is told that nothing follows. The error is the end that failed.
    pub(super) fn poll<A, B>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut A,
        sink: &mut B,
        over: bool,
    ) -> Poll<Result<Seen, Side>>
    where
        A: AsyncRead + Unpin,
        B: AsyncWrite + Unpin,
    {
        // Without room for more nothing is read: the source waits for the sink.
        ready!(self.write(cx, sink))?;
        if self.frames.between() {
            self.take_own();
            ready!(self.write(cx, sink))?;
        } else if self.ended {
            // Half a frame was the last that came: no frame of ours can follow it.
            (self.ping, self.close) = (None, None);
        }
        let over = over || self.ended;
        if over && self.close.is_none() && !self.shut {
            ready!(Pin::new(&mut *sink).poll_shutdown(cx)).map_err(|_| self.sink())?;
            self.shut = true;
            return Poll::Ready(Ok(Seen::Shut));
        }
        let read = if self.ended {
            Poll::Pending
        } else {
            self.read(cx, source, sink)
        };
        if read.is_pending() && self.unflushed {
            ready!(Pin::new(&mut *sink).poll_flush(cx)).map_err(|_| self.sink())?;
            self.unflushed = false;
        }
        read
    }

    /// Puts our own frames behind what waits.
    fn take_own(&mut self) {
        for own in [self.ping.take(), self.close.take()].into_iter().flatten() {
            self.said_close |= own[0] & 0x0f == control::CLOSE;
            self.waiting.extend(own);
        }
    }

    /// Writes what waits.
    fn write<B>(&mut self, cx: &mut Context<'_>, sink: &mut B) -> Poll<Result<(), Side>>
    where
        B: AsyncWrite + Unpin,
    {
        while self.written < self.waiting.len() {
            let rest = &self.waiting[self.written..];
            match ready!(Pin::new(&mut *sink).poll_write(cx, rest)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(self.sink())),
                Ok(n) => self.written += n,
            }
            self.unflushed = true;
            self.moved = Instant::now();
        }
        if self.written > 0 {
            // An idle socket keeps no memory.
            (self.waiting, self.written) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }

    fn read<A, B>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut A,
        sink: &mut B,
    ) -> Poll<Result<Seen, Side>>
    where
        A: AsyncRead + Unpin,
        B: AsyncWrite + Unpin,
    {
        scratch::with(|scratch| {
            let held = self.held.len();
            let mut buffer = ReadBuf::new(&mut scratch[held..]);
            ready!(Pin::new(source).poll_read(cx, &mut buffer)).map_err(|_| self.source)?;
            let read = buffer.filled().len();
            if read == 0 {
                self.ended = true;
                return Poll::Ready(Ok(Seen::Ended));
            }
            if self.deaf {
                return Poll::Ready(Ok(Seen::Heard { data: false }));
            }
            scratch[..held].copy_from_slice(&self.held);
            let bytes = &mut scratch[..held + read];
            let walked = self
                .frames
                .walk(bytes, self.asked.as_ref().map(<[u8; 8]>::as_slice));
            if walked.answered {
                self.asked = None;
            }
            self.hold(&bytes[walked.pass..walked.pass + walked.held]);
            let passed = self.pass(cx, &bytes[..walked.pass], &walked, sink)?;
            self.passed.bytes += passed;
            self.passed.messages += walked.messages;
            Poll::Ready(Ok(match (walked.fault, walked.close) {
                (Some(fault), _) => Seen::Fault(fault),
                (None, Some(code)) => Seen::Close(code),
                (None, None) => Seen::Heard { data: walked.data },
            }))
        })
    }

    fn hold(&mut self, bytes: &[u8]) {
        debug_assert!(
            bytes.len() <= LONGEST_HELD,
            "only headers and control frames are held"
        );
        if bytes.is_empty() {
            self.held = Vec::new();
        } else {
            self.held.clear();
            self.held.extend_from_slice(bytes);
        }
    }

    /// Writes what may go on at once; puts aside what the sink does not take. Ours goes between two frames.
    fn pass<B>(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        walked: &Walked,
        sink: &mut B,
    ) -> Result<u64, Side>
    where
        B: AsyncWrite + Unpin,
    {
        if self.said_close {
            return Ok(0);
        }
        let (first, rest) = match walked.boundary {
            Some(boundary) if self.ping.is_some() || self.close.is_some() => {
                bytes.split_at(boundary)
            }
            _ => (bytes, &[][..]),
        };
        let mut written = 0;
        while written < first.len() {
            match Pin::new(&mut *sink).poll_write(cx, &first[written..]) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(self.sink()),
                Poll::Ready(Ok(n)) => written += n,
                Poll::Pending => break,
            }
        }
        self.unflushed |= written > 0;
        self.moved = Instant::now();
        self.waiting.extend_from_slice(&first[written..]);
        if walked.boundary.is_some() {
            self.take_own();
        }
        if self.said_close {
            return Ok(first.len() as u64);
        }
        self.waiting.extend_from_slice(rest);
        self.said_close = walked.close.is_some();
        Ok(bytes.len() as u64)
    }
}
