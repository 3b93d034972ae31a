//! The rest of the fake gateway: clock, log and upstreams, one of each per test thread.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::Level;
use crate::upstream::{Answer, Call, CallError};

type Upstreams = Box<dyn FnMut(&Call) -> Result<Answer, CallError>>;

thread_local! {
    static NOW: Cell<Option<Duration>> = const { Cell::new(None) };
    static UPSTREAMS: RefCell<Option<Upstreams>> = const { RefCell::new(None) };
}

/// Stops this thread's clock at a time since 1970.
pub fn set_now(since_1970: Duration) {
    NOW.set(Some(since_1970));
}

/// Answers this thread's upstream calls; without it every call is `NotGranted`.
pub fn answer_upstreams_with(answer: impl FnMut(&Call) -> Result<Answer, CallError> + 'static) {
    UPSTREAMS.set(Some(Box::new(answer)));
}

pub(crate) fn now_ms() -> u64 {
    let now = NOW.get().unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    });
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn monotonic_ns() -> u64 {
    now_ms().saturating_mul(1_000_000)
}

pub(crate) fn remaining_ms() -> u32 {
    u32::MAX
}

pub(crate) fn log_enabled(_: Level) -> bool {
    true
}

pub(crate) fn log(level: Level, message: &str, fields: &[(String, String)]) {
    eprintln!("{level:?}: {message} {fields:?}");
}

pub(crate) fn send(call: Call) -> Result<Answer, CallError> {
    UPSTREAMS.with_borrow_mut(|answer| {
        answer
            .as_mut()
            .map_or(Err(CallError::NotGranted), |answer| answer(&call))
    })
}

pub(crate) fn send_all(calls: Vec<Call>) -> Vec<Result<Answer, CallError>> {
    calls.into_iter().map(send).collect()
}

/// A call that is answered when it is taken.
#[derive(Debug)]
pub struct Pending(Call);

pub(crate) fn start(call: Call) -> Result<Pending, CallError> {
    Ok(Pending(call))
}

pub(crate) fn next(_pending: &[&Pending]) -> usize {
    0
}

pub(crate) fn take(pending: Pending) -> Result<Answer, CallError> {
    send(pending.0)
}
