//! Two ends joined: both directions moved by one task, watched by one timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use portcullis_config::plan::WebSocketPlan;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use super::control::random;
use super::ending::{Ending, Side};
use super::frames::Rules;
use super::metrics::SocketMetrics;
use super::way::{Seen, Way};
use crate::observe::record::Passed;

/// How a socket is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) max_message: u64,
    pub(super) compressed: bool,
    /// Without a message.
    pub(super) idle: Duration,
    /// Silence before a ping; None: never.
    pub(super) ping: Option<Duration>,
    /// Silence after a ping.
    pub(super) pong: Duration,
    /// An end that takes no bytes.
    pub(super) stall: Duration,
}

impl Bounds {
    /// `stall`: how long an end may take no bytes.
    pub(super) fn of(plan: &WebSocketPlan, compressed: bool, stall: Duration) -> Bounds {
        Bounds {
            max_message: plan.max_message,
            compressed,
            idle: plan.idle,
            ping: plan.ping,
            pong: plan.pong,
            stall,
        }
    }
}

/// A client and a server, joined.
#[derive(Debug)]
pub(super) struct Relay<C, S> {
    client: Heard<C>,
    server: Heard<S>,
    /// From the client to the server, and back.
    up: Way,
    down: Way,
    bounds: Bounds,
    last_message: Instant,
    /// How it ends, and when that is cut short.
    ending: Option<(Ending, Instant)>,
    /// The code of the first Close.
    pub(super) code: Option<u16>,
    timer: Pin<Box<Sleep>>,
    metrics: SocketMetrics,
}

/// An end and when it was heard.
#[derive(Debug)]
struct Heard<T> {
    io: T,
    last: Instant,
    pinged: Option<Instant>,
}

/// How long two ends have for saying goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// Reads in a row before the other sockets of the worker have their turn.
const TURNS: usize = 32;

impl<T> Heard<T> {
    fn new(io: T) -> Heard<T> {
        Heard {
            io,
            last: Instant::now(),
            pinged: None,
        }
    }

    fn hears(&mut self, now: Instant) {
        self.last = now;
        self.pinged = None;
    }

    /// Whether it is to be pinged now. One whose ping could not leave yet is given its time anew.
    fn needs_ping(&mut self, now: Instant, bounds: &Bounds, to: &Way) -> bool {
        if self.pinged.is_some() {
            if to.ping_waits() {
                self.pinged = Some(now);
            }
            return false;
        }
        let due = self.deadline(bounds).is_some_and(|at| at <= now);
        if due {
            self.pinged = Some(now);
        }
        due
    }

    /// When it has to be pinged, or else is gone.
    fn deadline(&self, bounds: &Bounds) -> Option<Instant> {
        match self.pinged {
            Some(pinged) => Some(pinged + bounds.pong),
            None => bounds.ping.map(|ping| self.last + ping),
        }
    }
}

// === impl Relay ===

impl<C, S> Relay<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(client: C, server: S, bounds: Bounds, metrics: SocketMetrics) -> Relay<C, S> {
        let rules = |masked| Rules {
            masked,
            max_message: bounds.max_message,
            compressed: bounds.compressed,
        };
        let now = Instant::now();
        Relay {
            client: Heard::new(client),
            server: Heard::new(server),
            up: Way::new(Side::Client, rules(true)),
            down: Way::new(Side::Server, rules(false)),
            bounds,
            last_message: now,
            ending: None,
            code: None,
            timer: Box::pin(tokio::time::sleep_until(now.into())),
            metrics,
        }
    }

    /// What went up and down so far.
    pub(super) fn passed(&self) -> [Passed; 2] {
        [self.up.passed, self.down.passed]
    }

    /// Runs until it is over; says how it ended. May be dropped and called again.
    pub(super) async fn run(&mut self) -> Ending {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// Begins to end it: tells both ends, and waits a little for their answers.
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some((ending, Instant::now() + GOODBYE));
        if let Some((client, server)) = ending.codes() {
            self.down.close(client);
            self.up.close(server);
            self.code = Some(match ending {
                Ending::Broke(Side::Server, _) => server,
                _ => client,
            });
        }
        self.timer.as_mut().reset(tokio::time::Instant::now());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let polled = self.poll_both(cx);
        self.metrics.count(self.passed());
        polled
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        for _ in 0..TURNS {
            let (up, down) = match (self.poll_up(cx), self.poll_down(cx)) {
                (Ok(up), Ok(down)) => (up, down),
                (Err(side), _) | (_, Err(side)) => {
                    let ending = self.ending.map_or(Ending::Lost(side), |(ending, _)| ending);
                    return Poll::Ready(ending);
                }
            };
            if let Some(ending) = self.over() {
                return Poll::Ready(ending);
            }
            if !up && !down {
                return self.poll_timer(cx);
            }
        }
        // The other sockets of the worker have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether something moved from the client to the server; the side that failed.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<bool, Side> {
        let polled = self
            .up
            .poll(cx, &mut self.client.io, &mut self.server.io, false);
        self.saw(Side::Client, polled)
    }

    fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<bool, Side> {
        // Both said Close: of the two, the server's side hangs up (RFC 6455 section 7.1.1).
        let over = self.down.said_close && (self.up.has_closed() || self.up.deaf);
        let polled = self
            .down
            .poll(cx, &mut self.server.io, &mut self.client.io, over);
        self.saw(Side::Server, polled)
    }

    fn saw(&mut self, from: Side, polled: Poll<Result<Seen, Side>>) -> Result<bool, Side> {
        let seen = match polled {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(seen)) => seen,
            Poll::Ready(Err(side)) => return Err(side),
        };
        let now = Instant::now();
        match from {
            Side::Client => self.client.hears(now),
            Side::Server => self.server.hears(now),
        }
        match seen {
            Seen::Heard { data: true } => self.last_message = now,
            Seen::Heard { data: false } | Seen::Shut => {}
            Seen::Close(code) => {
                if self.ending.is_none() {
                    self.code = code;
                }
                self.end(Ending::Closed(from));
            }
            Seen::Ended => self.end(Ending::Lost(from)),
            Seen::Fault(fault) => {
                match from {
                    Side::Client => self.up.deaf = true,
                    Side::Server => self.down.deaf = true,
                }
                self.end(Ending::Broke(from, fault));
            }
        }
        Ok(true)
    }

    /// Both legs are done: nothing more goes to either end, and neither has more to say.
    fn over(&self) -> Option<Ending> {
        let (ending, _) = self.ending?;
        let client = self.down.shut && self.up.ended;
        let server = self.down.ended || (self.up.shut && self.down.has_closed());
        let told = !self.up.is_stuck();
        (client && server && told).then_some(ending)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if let Some((ending, cut)) = self.ending {
                if cut <= now {
                    return Poll::Ready(ending);
                }
                self.timer.as_mut().reset(cut.into());
                continue;
            }
            if let Some(ending) = self.overdue(now) {
                self.end(ending);
                // What it says is still to be written.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.ping(now) {
                cx.waker().wake_by_ref();
            }
            let next = self.next_look(now);
            self.timer.as_mut().reset(next.into());
        }
    }

    fn overdue(&self, now: Instant) -> Option<Ending> {
        let Bounds {
            idle, pong, stall, ..
        } = self.bounds;
        // A ping that could not leave yet says nothing of the end it is for.
        let silent = |pinged: Option<Instant>, to: &Way| {
            !to.ping_waits() && pinged.is_some_and(|at| at + pong <= now)
        };
        let stuck = |to: &Way| to.is_stuck() && to.moved + stall <= now;
        if silent(self.client.pinged, &self.down) || stuck(&self.down) {
            Some(Ending::Silent(Side::Client))
        } else if silent(self.server.pinged, &self.up) || stuck(&self.up) {
            Some(Ending::Silent(Side::Server))
        } else if self.last_message + idle <= now {
            Some(Ending::Idle)
        } else {
            None
        }
    }

    /// Pings who was silent; whether there was one.
    fn ping(&mut self, now: Instant) -> bool {
        let payload = random();
        let client = self.client.needs_ping(now, &self.bounds, &self.down);
        if client {
            self.up.asked = Some(payload);
            self.down.ping(&payload);
        }
        let server = self.server.needs_ping(now, &self.bounds, &self.up);
        if server {
            self.down.asked = Some(payload);
            self.up.ping(&payload);
        }
        client || server
    }

    fn next_look(&self, now: Instant) -> Instant {
        let deadlines = [
            self.client.deadline(&self.bounds),
            self.server.deadline(&self.bounds),
            Some(self.last_message + self.bounds.idle),
        ];
        let latest = now + self.bounds.stall;
        deadlines.into_iter().flatten().fold(latest, Instant::min)
    }
}

#[cfg(test)]
mod tests;
