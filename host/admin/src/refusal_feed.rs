//! Refusals as server-sent events (WHATWG HTML section 9.2), kept for all who follow them.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use portcullis_proxy::Tail;
use serde::Serialize;
use serde_json::json;

/// Events that a new stream begins with.
const KEPT: usize = 256;

/// The newest events, for every stream. Requests of clients never lock it.
#[derive(Default)]
pub(crate) struct RefusalFeed(Mutex<Events>);

#[derive(Default)]
struct Events {
    /// Each with the number of refusals that it stands for.
    events: VecDeque<(u64, Bytes)>,
    /// How many refusals there were before those.
    before: u64,
}

impl RefusalFeed {
    /// What came after the first `seen` refusals, which becomes their number until now.
    pub(crate) fn since(&self, tail: &Tail, seen: &mut Option<u64>) -> Vec<u8> {
        let mut here = self.0.lock();
        let (refused, skipped) = tail.take();
        for one in &refused {
            here.add(1, event("refusal", one));
        }
        if skipped > 0 {
            here.add(skipped, event("skipped", &json!({ "skipped": skipped })));
        }
        here.since(seen)
    }
}

impl Events {
    fn add(&mut self, refusals: u64, event: Bytes) {
        self.events.push_back((refusals, event));
        if self.events.len() > KEPT
            && let Some((refusals, _)) = self.events.pop_front()
        {
            self.before += refusals;
        }
    }

    fn since(&self, seen: &mut Option<u64>) -> Vec<u8> {
        let mut at = self.before;
        let from = seen.unwrap_or(at);
        let mut new = Vec::new();
        // Other streams were faster: of events that are gone, only the number is known.
        if from < at {
            new.extend(event("skipped", &json!({ "skipped": at - from })));
        }
        for (refusals, event) in &self.events {
            if at >= from {
                new.extend_from_slice(event);
            }
            at += refusals;
        }
        *seen = Some(at);
        new
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    // Texts and numbers always become JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_late_is_told_the_newest_and_nobody_is_told_twice() {
        let mut events = Events::default();
        let (mut first, mut late) = (None, None);
        events.add(1, event("refusal", &1));
        assert_eq!(events.since(&mut first), b"event: refusal\ndata: 1\n\n");
        assert!(events.since(&mut first).is_empty());
        events.add(7, event("skipped", &json!({ "skipped": 7 })));
        for number in 2..2 + KEPT as u64 {
            events.add(1, event("refusal", &number));
        }
        let text = |new: Vec<u8>| String::from_utf8(new).expect("text");
        let missed = text(events.since(&mut first));
        assert!(missed.starts_with("event: skipped\ndata: {\"skipped\":7}\n\n"));
        assert!(text(events.since(&mut late)).starts_with("event: refusal\ndata: 2\n\n"));
        assert_eq!(first, late);
        assert!(events.since(&mut late).is_empty());
    }
}
