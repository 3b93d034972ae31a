//! A refused client is listened to for a while, so that it can read the refusal: closing at once, with bytes unread, would
//! reset the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;

use super::{Alarm, Io};
use crate::ground::scratch;

const LONGEST: Duration = Duration::from_secs(1);
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Linger {
    until: Instant,
    seen: usize,
}

impl Linger {
    pub(super) fn begin(alarm: &mut Alarm) -> Linger {
        let until = Instant::now() + LONGEST;
        alarm.set(until);
        Linger { until, seen: 0 }
    }

    /// Throws away what comes. Ready once the connection may be closed.
    pub(super) fn poll<S: Io>(
        &mut self,
        io: &mut S,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        scratch::with(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(()))
                        if !buffer.filled().is_empty() && self.seen < MOST_BYTES =>
                    {
                        self.seen += buffer.filled().len();
                    }
                    Poll::Ready(_) => return Poll::Ready(Ok(())),
                    Poll::Pending if Instant::now() >= self.until => return Poll::Ready(Ok(())),
                    Poll::Pending => return alarm.poll(cx).map(Ok),
                }
            }
        })
    }
}
