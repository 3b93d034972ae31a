//! `/refusals/stream`: who is refused, and why, as it happens.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use portcullis_proxy::{Looker, Tail};
use tokio::time::{Interval, MissedTickBehavior};

use crate::answer::{Answer, Problem, page as whole};
use crate::call::Call;
use crate::refusal_feed::RefusalFeed;

const EVENTS: &str = "text/event-stream";
/// How often the tail is looked at, while anybody listens.
const EVERY: Duration = Duration::from_millis(250);
/// Looks without an event before an empty comment, which reveals a connection that is gone.
const QUIET: u32 = 60;
/// Streams at once: each keeps a connection of the listener.
const STREAMS: usize = 16;

/// The stream of one who listens.
struct Stream {
    feed: Arc<RefusalFeed>,
    tail: Arc<Tail>,
    _looker: Looker,
    /// Refusals that were sent or skipped. None: it has just begun.
    seen: Option<u64>,
    tick: Interval,
    quiet: u32,
}

pub(super) async fn stream(call: Call) -> Result<Answer, Problem> {
    let tail = call.gate()?.tail().clone();
    if tail.lookers() >= STREAMS {
        let text = format!("{STREAMS} follow the refusals already");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text));
    }
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        feed: call.gateway.refusals.clone(),
        _looker: tail.look(),
        tail,
        seen: None,
        tick,
        quiet: 0,
    };
    Ok(whole(EVENTS, "").map(|_| stream.boxed_unsync()))
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            ready!(this.tick.poll_tick(cx));
            let mut events = this.feed.since(&this.tail, &mut this.seen);
            this.quiet += 1;
            if events.is_empty() && this.quiet < QUIET {
                continue;
            }
            if events.is_empty() {
                events.extend(b": nobody\n\n");
            }
            this.quiet = 0;
            return Poll::Ready(Some(Ok(Frame::data(events.into()))));
        }
    }
}
