//! The socket of a client, as hyper sees it: strictly framed bytes, bounded in time. It stands above TLS as it does above
//! TCP.

mod client;
mod h1;
mod h2;
mod linger;

use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::ground::alarm::Alarm;
pub(crate) use client::Busy;
pub use client::Client;
pub(crate) use client::Rest;
pub(crate) use h1::Guarded;
pub(crate) use h2::{GuardedH2, Silence};

/// The bytes of a client's connection, however they come.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// The writes of a connection: one that makes no progress for too long ends it.
#[derive(Debug)]
struct Writes {
    /// The longest that a write may take.
    idle: Duration,
    last: Instant,
    /// Something was written, and has not been flushed since.
    unflushed: bool,
}

// === impl Writes ===

impl Writes {
    fn new(idle: Duration) -> Writes {
        Writes {
            idle,
            last: Instant::now(),
            unflushed: false,
        }
    }

    /// Notes what a write came to. Only the write itself is looked at, whatever the request does.
    fn wrote(
        &mut self,
        done: Poll<io::Result<usize>>,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        if done.is_ready() {
            self.last = Instant::now();
            return done;
        }
        let deadline = self.last + self.idle;
        loop {
            ready!(alarm.poll(cx));
            if deadline <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            alarm.set(deadline);
        }
    }

    fn flushed(&mut self, done: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        self.unflushed &= done.is_pending();
        done
    }
}
