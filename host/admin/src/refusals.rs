//! `/refusals/stream`: who is refused, and why, as it happens. Server-sent events (WHATWG HTML section 9.2).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use portcullis_proxy::{Looker, Tail};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior};

use crate::answer::{Answer, Problem, page as whole};
use crate::call::Call;

const EVENTS: &str = "text/event-stream";
/// Events that who comes later is still told.
const KEPT: usize = 256;
/// How often the tail is looked at, while anybody listens.
const EVERY: Duration = Duration::from_millis(250);
/// Looks without an event before a word that says nothing, by which a connection that is gone is noticed.
const QUIET: u32 = 60;
/// Streams at once: each keeps a seat of the listener.
const STREAMS: usize = 16;

/// What was told last, for all who listen. The request's way never comes here.
#[derive(Default)]
pub(super) struct Feed(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// Each with the number of refusals that it stands for.
    events: VecDeque<(u64, Bytes)>,
    /// How many refusals there were before those.
    before: u64,
}

/// The stream of one who listens.
struct Stream {
    feed: Arc<Feed>,
    tail: Arc<Tail>,
    _looker: Looker,
    /// Refusals that were told. None: it has just come.
    told: Option<u64>,
    tick: Interval,
    quiet: u32,
}

pub(super) async fn stream(call: Call) -> Result<Answer, Problem> {
    let tail = call.gate()?.archive.tail.clone();
    if tail.lookers() >= STREAMS {
        let text = format!("{STREAMS} follow the refusals already");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text));
    }
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        feed: call.admin.refusals.clone(),
        _looker: tail.look(),
        tail,
        told: None,
        tick,
        quiet: 0,
    };
    Ok(whole(EVENTS, "").map(|_| stream.boxed_unsync()))
}

impl Feed {
    /// What came after the first `told` refusals, which becomes all there were.
    fn since(&self, tail: &Tail, told: &mut Option<u64>) -> Vec<u8> {
        let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (refused, skipped) = tail.take();
        for one in &refused {
            here.add(1, event("refusal", one));
        }
        if skipped > 0 {
            here.add(skipped, event("skipped", &json!({ "skipped": skipped })));
        }
        here.since(told)
    }
}

impl Told {
    fn add(&mut self, refusals: u64, event: Bytes) {
        self.events.push_back((refusals, event));
        if self.events.len() > KEPT
            && let Some((refusals, _)) = self.events.pop_front()
        {
            self.before += refusals;
        }
    }

    fn since(&self, told: &mut Option<u64>) -> Vec<u8> {
        let mut at = self.before;
        let from = told.unwrap_or(at);
        let mut new = Vec::new();
        // Others were faster: what they pushed out is told as a number.
        if from < at {
            new.extend(event("skipped", &json!({ "skipped": at - from })));
        }
        for (refusals, event) in &self.events {
            if at >= from {
                new.extend_from_slice(event);
            }
            at += refusals;
        }
        *told = Some(at);
        new
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    // Texts and numbers always become JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
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
            let mut events = this.feed.since(&this.tail, &mut this.told);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_is_told_the_newest_and_nobody_is_told_twice() {
        let mut told = Told::default();
        let (mut first, mut late) = (None, None);
        told.add(1, event("refusal", &1));
        assert_eq!(told.since(&mut first), b"event: refusal\ndata: 1\n\n");
        assert!(told.since(&mut first).is_empty());
        told.add(7, event("skipped", &json!({ "skipped": 7 })));
        for number in 2..2 + KEPT as u64 {
            told.add(1, event("refusal", &number));
        }
        let text = |new: Vec<u8>| String::from_utf8(new).expect("text");
        let missed = text(told.since(&mut first));
        assert!(missed.starts_with("event: skipped\ndata: {\"skipped\":7}\n\n"));
        assert!(text(told.since(&mut late)).starts_with("event: refusal\ndata: 2\n\n"));
        assert_eq!(first, late);
        assert!(told.since(&mut late).is_empty());
    }
}
