//! Upstreams that answer as a case says, and remember calls that the case does not expect.

use bytes::Bytes;
use parking_lot::Mutex;
use portcullis_exchange::{Call, Outbound, OutboundError, OutboundFuture};
use serde_json::Value as Json;

use crate::case::ExpectCall;
use crate::scene;

/// The calls of one play. A call takes the first answer that fits and is not taken; calls run side by side, so their
/// order means nothing.
pub(super) struct Script {
    calls: Vec<scene::Call>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    taken: Vec<bool>,
    unexpected: Vec<String>,
}

impl Script {
    pub(super) fn new(calls: &[scene::Call]) -> Script {
        let taken = vec![false; calls.len()];
        Script {
            calls: calls.to_vec(),
            heard: Mutex::new(Heard {
                taken,
                unexpected: Vec::new(),
            }),
        }
    }

    /// Calls that no answer was there for, and calls that did not come.
    pub(super) fn ended(&self) -> (Vec<String>, Vec<String>) {
        let heard = self.heard.lock();
        let missed = self
            .calls
            .iter()
            .zip(&heard.taken)
            .filter(|(_, taken)| !**taken);
        let missed = missed.map(|(call, _)| describe(&call.expect)).collect();
        (heard.unexpected.clone(), missed)
    }

    fn take(&self, call: &Call) -> Option<&scene::Call> {
        let mut heard = self.heard.lock();
        let fits = |index: &usize| !heard.taken[*index] && fits(&self.calls[*index].expect, call);
        match (0..self.calls.len()).find(fits) {
            Some(index) => {
                heard.taken[index] = true;
                Some(&self.calls[index])
            }
            None => {
                let request = &call.request;
                let mut text = format!(
                    "{} {} of {}",
                    request.method(),
                    request.uri(),
                    call.upstream
                );
                if !request.body().is_empty() {
                    text.push_str(&format!(
                        " with {}",
                        String::from_utf8_lossy(request.body())
                    ));
                }
                heard.unexpected.push(text);
                None
            }
        }
    }
}

impl Outbound for Script {
    fn call(&self, call: Call) -> OutboundFuture {
        let Some(found) = self.take(&call).cloned() else {
            return Box::pin(async {
                Err(OutboundError::Connect(
                    "the case expects no such call".into(),
                ))
            });
        };
        Box::pin(async move {
            if !found.delay.is_zero() {
                let slept =
                    tokio::time::timeout(call.timeout, tokio::time::sleep(found.delay)).await;
                slept.map_err(|_| OutboundError::Timeout)?;
            }
            match found.answer {
                Ok(answer) if answer.body().len() > call.max_response => {
                    Err(OutboundError::TooLarge)
                }
                answer => answer,
            }
        })
    }
}

fn fits(expect: &ExpectCall, call: &Call) -> bool {
    let request = &call.request;
    let headers = expect.headers.iter().all(|(name, words)| {
        let held = request.headers().get_all(name.as_str());
        held.iter()
            .map(http::HeaderValue::as_bytes)
            .eq(words.all().iter().map(String::as_bytes))
    });
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    expect.upstream == call.upstream
        && expect.method == request.method().as_str()
        && expect.path == path
        && headers
        && fits_body(expect, request.body())
}

fn fits_body(expect: &ExpectCall, body: &Bytes) -> bool {
    let text = expect
        .body
        .as_ref()
        .is_none_or(|text| text.as_bytes() == body);
    let json =
        |wanted: &Json| serde_json::from_slice::<Json>(body).is_ok_and(|sent| sent == *wanted);
    text && expect.json.as_ref().is_none_or(json)
}

fn describe(expect: &ExpectCall) -> String {
    let ExpectCall {
        upstream,
        method,
        path,
        ..
    } = expect;
    format!("{method} {path} of {upstream}")
}
