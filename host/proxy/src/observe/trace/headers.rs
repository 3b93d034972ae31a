//! A trail in response headers.

use std::fmt::Write as _;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use portcullis_exchange::{Cost, Facts, Step, Trail, Try};

use super::view::{self, TRAIL};
use crate::observe::record::Record;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Bytes of the header: what clients and proxies take of a whole head is 8 KiB at the least.
const MOST: usize = 6 * 1024;
/// Characters of the words why.
const LONGEST_WORDS: usize = 512;

/// `Server-Timing` (W3C): what each plugin call took, in milliseconds.
pub(super) fn server_timing(trail: &Trail, headers: &mut HeaderMap) {
    let text = trail.read(|steps, _| {
        let mut text = String::new();
        for step in steps.iter().filter(|step| step.what.is_plugin()) {
            let between = if text.is_empty() { "" } else { ", " };
            let took = step.took.as_secs_f64() * 1e3;
            // Writing to a String cannot fail.
            let _ = write!(text, "{between}{};dur={took:.3}", step.of);
        }
        text
    });
    if text.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.append(SERVER_TIMING, value);
    }
}

/// The whole trail; where that is too much, as many steps as fit from the first on.
pub(super) fn trail(trail: &Trail, record: &Record, headers: &mut HeaderMap) {
    let text = trail.read(|steps, left_out| {
        let mut view = view::Trail::of(record);
        view.steps = steps.iter().map(view::Step::of).collect();
        view.left_out = left_out as usize;
        loop {
            let text = ascii(&serde_json::to_string(&view).unwrap_or_default());
            if text.len() <= MOST || view.steps.is_empty() {
                return text;
            }
            view.steps.pop();
            view.left_out += 1;
        }
    });
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TRAIL, value);
    }
}

pub(super) fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// JSON without a character that a header could not hold.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\x7f' {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

impl view::Trail {
    fn of(record: &Record) -> view::Trail {
        let text = |name: &Option<Arc<str>>| name.as_deref().map(str::to_owned);
        let because = |words: &str| words.chars().take(LONGEST_WORDS).collect();
        view::Trail {
            request_id: record.request_id.to_string(),
            client_ip: record.client_ip,
            trace_id: record.trace_id(),
            route: text(&record.route),
            caller: text(&record.caller),
            upstream: text(&record.upstream),
            server: text(&record.server),
            cache: record.cache.map(|outcome| outcome.as_str().to_owned()),
            status: Some(record.status.as_u16()),
            refusal: record.refusal.map(|reason| reason.as_str().to_owned()),
            because: record.because.as_deref().map(because),
            took_us: micros(record.began.elapsed()),
            steps: Vec::new(),
            left_out: 0,
        }
    }
}

impl view::Step {
    fn of(step: &Step) -> view::Step {
        let (mut cost, mut tried, mut note) = (None, None, None);
        match &step.facts {
            Facts::None => {}
            Facts::Cost(facts) => cost = Some(view::Cost::of(facts)),
            Facts::Try(facts) => tried = Some(view::Try::of(facts)),
            Facts::Note(words) => note = Some((*words).to_owned()),
        }
        view::Step {
            step: step.what.as_str().to_owned(),
            of: step.of.to_string(),
            at_us: micros(step.start),
            took_us: micros(step.took),
            outcome: step.outcome.to_owned(),
            within: step.within,
            cost,
            tried,
            note,
        }
    }
}

impl view::Cost {
    fn of(cost: &Cost) -> view::Cost {
        view::Cost {
            cpu_us: micros(cost.cpu),
            memory: cost.memory as u64,
            host_calls: cost.host_calls,
            outbound_calls: cost.outbound_calls,
            bytes_in: cost.bytes_in,
            bytes_out: cost.bytes_out,
        }
    }
}

impl view::Try {
    fn of(tried: &Try) -> view::Try {
        view::Try {
            server: tried.server.to_string(),
            number: tried.number,
            because: tried.because.to_owned(),
            status: tried.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_hold_is_escaped_as_json_knows_it() {
        let text = ascii("{\"because\":\"ä\u{7f}😀\"}");
        assert!(HeaderValue::try_from(&text).is_ok(), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read["because"], "ä\u{7f}😀");
    }
}
