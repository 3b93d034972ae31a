//! A trail in response headers.

use std::fmt::Write as _;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use portcullis_runtime::{Cost, Facts, Step, Trail, Try};
use serde::Serialize;

use crate::journal::Journal;

/// The trail in JSON, for who signed the request.
const TRAIL: HeaderName = HeaderName::from_static("portcullis-trail");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Bytes of the header: what clients and proxies take of a whole head is 8 KiB at the least.
const MOST: usize = 6 * 1024;
/// Characters of the words why.
const LONGEST_WORDS: usize = 512;

#[derive(Serialize)]
struct TrailView<'a> {
    request_id: &'a str,
    client_ip: std::net::IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    route: Option<&'a str>,
    caller: Option<&'a str>,
    upstream: Option<&'a str>,
    server: Option<&'a str>,
    cache: Option<&'a str>,
    status: u16,
    refusal: Option<&'a str>,
    because: Option<String>,
    took_us: u64,
    steps: Vec<StepView<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct StepView<'a> {
    step: &'static str,
    of: &'a str,
    at_us: u64,
    took_us: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    cost: Option<CostView>,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    tried: Option<TryView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct CostView {
    cpu_us: u64,
    memory: usize,
    host_calls: u32,
    outbound_calls: u32,
    bytes_in: u64,
    bytes_out: u64,
}

#[derive(Serialize)]
struct TryView<'a> {
    server: &'a str,
    number: u32,
    because: &'static str,
    status: Option<u16>,
}

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
pub(super) fn trail(trail: &Trail, journal: &Journal, headers: &mut HeaderMap) {
    let text = trail.read(|steps, left_out| {
        let mut view = TrailView::of(journal, trail);
        view.steps = steps.iter().map(StepView::of).collect();
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

fn micros(time: std::time::Duration) -> u64 {
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

impl<'a> TrailView<'a> {
    fn of(journal: &'a Journal, trail: &Trail) -> TrailView<'a> {
        let because = |words: &str| words.chars().take(LONGEST_WORDS).collect();
        TrailView {
            request_id: &journal.request_id,
            client_ip: journal.client_ip,
            trace_id: trail.ids().map(|ids| format!("{:032x}", ids.trace)),
            route: journal.route.as_deref(),
            caller: journal.caller.as_deref(),
            upstream: journal.upstream.as_deref(),
            server: journal.server.as_deref(),
            cache: journal.cache.map(crate::cache::Outcome::as_str),
            status: journal.status.as_u16(),
            refusal: journal.refusal.map(crate::refusal::Reason::as_str),
            because: journal.because.as_deref().map(because),
            took_us: micros(journal.began().elapsed()),
            steps: Vec::new(),
            left_out: 0,
        }
    }
}

impl<'a> StepView<'a> {
    fn of(step: &'a Step) -> StepView<'a> {
        let (mut cost, mut tried, mut note) = (None, None, None);
        match &step.facts {
            Facts::None => {}
            Facts::Cost(facts) => cost = Some(CostView::of(facts)),
            Facts::Try(facts) => tried = Some(TryView::of(facts)),
            Facts::Note(words) => note = Some(*words),
        }
        StepView {
            step: step.what.as_str(),
            of: &step.of,
            at_us: micros(step.start),
            took_us: micros(step.took),
            outcome: step.outcome,
            within: step.within,
            cost,
            tried,
            note,
        }
    }
}

impl CostView {
    fn of(cost: &Cost) -> CostView {
        CostView {
            cpu_us: micros(cost.cpu),
            memory: cost.memory,
            host_calls: cost.host_calls,
            outbound_calls: cost.outbound_calls,
            bytes_in: cost.bytes_in,
            bytes_out: cost.bytes_out,
        }
    }
}

impl<'a> TryView<'a> {
    fn of(tried: &'a Try) -> TryView<'a> {
        TryView {
            server: &tried.server,
            number: tried.number,
            because: tried.because,
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
