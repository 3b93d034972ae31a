//! Calls to the upstreams that gateway.toml names and grants to the plugin.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Fault, wire};

/// A call to be made: an upstream by its name, a method and a path. Never a URL.
///
/// ```
/// use portcullis_sdk::upstream::Call;
/// use std::time::Duration;
///
/// let call = Call::get("users", "/internal/users/7").header("accept", "application/json").timeout(Duration::from_secs(1));
/// # let _ = call;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub(crate) upstream: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: u32,
    pub(crate) max_response: u32,
}

/// What an upstream answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, in the upstream's order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// gateway.toml does not grant this upstream to this plugin.
    NotGranted,
    /// No answer in time.
    Timeout,
    /// No connection.
    Connect(String),
    /// The answer is larger than asked for.
    TooLarge,
    /// The plugin has used up its calls.
    Budget,
    /// The exchange ended.
    Cancelled,
    /// The call is not valid HTTP.
    Invalid(String),
    /// Anything else.
    Other(String),
}

/// A call under way. Dropping it cancels the call.
#[derive(Debug)]
pub struct Pending(wire::Pending);

/// Makes one call.
pub fn send(call: Call) -> Result<Answer, CallError> {
    wire::send(call)
}

/// Makes all calls at once; slot i answers call i.
pub fn send_all(calls: impl IntoIterator<Item = Call>) -> Vec<Result<Answer, CallError>> {
    wire::send_all(calls.into_iter().collect())
}

/// Begins a call and does not wait for it: for calls that depend on one another's answers.
pub fn start(call: Call) -> Result<Pending, CallError> {
    wire::start(call).map(Pending)
}

/// Waits until one of the calls is finished; its index. `None` when there is none to wait for.
pub fn next(pending: &[&Pending]) -> Option<usize> {
    let pending: Vec<_> = pending.iter().map(|pending| &pending.0).collect();
    (!pending.is_empty()).then(|| wire::next(&pending))
}

// === impl Pending ===

impl Pending {
    /// The answer; waits for it.
    pub fn take(self) -> Result<Answer, CallError> {
        wire::take(self.0)
    }
}

// === impl Call ===

impl Call {
    /// Any method; `target` is the path and query, percent-encoded.
    pub fn new(
        upstream: impl Into<String>,
        method: impl Into<String>,
        target: impl Into<String>,
    ) -> Call {
        Call {
            upstream: upstream.into(),
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: 0,
            max_response: 0,
        }
    }

    /// GET.
    pub fn get(upstream: impl Into<String>, target: impl Into<String>) -> Call {
        Call::new(upstream, "GET", target)
    }

    /// POST.
    pub fn post(upstream: impl Into<String>, target: impl Into<String>) -> Call {
        Call::new(upstream, "POST", target)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, with its content type.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Fault> {
        let body = serde_json::to_vec(value)
            .map_err(|e| Fault::failed(format!("the call's body is not JSON: {e}")))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// The longest wait; without it, what is left of the plugin's own time.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        // 0 would mean "no limit of its own": a limit below a millisecond is one millisecond.
        self.timeout_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1);
        self
    }

    /// The largest body of an answer, in bytes; without it, the gateway's cap.
    #[must_use]
    pub fn max_response(mut self, bytes: u32) -> Self {
        self.max_response = bytes.max(1);
        self
    }

    /// Makes the call.
    pub fn send(self) -> Result<Answer, CallError> {
        send(self)
    }
}

// === impl Answer ===

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name; names are case-insensitive.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_slice())
    }

    /// The body as JSON; a body that is not is the upstream's mistake, hence a failure and not a refusal.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Fault::failed(format!("the upstream's answer is not JSON: {e}")))
    }
}

// === impl CallError ===

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NotGranted => f.write_str("the upstream is not granted to this plugin"),
            CallError::Timeout => f.write_str("the upstream did not answer in time"),
            CallError::Connect(why) => write!(f, "the upstream cannot be reached: {why}"),
            CallError::TooLarge => f.write_str("the upstream's answer is too large"),
            CallError::Budget => f.write_str("the plugin has used up its upstream calls"),
            CallError::Cancelled => f.write_str("the exchange ended before the upstream answered"),
            CallError::Invalid(why) => write!(f, "the upstream call is not valid: {why}"),
            CallError::Other(why) => write!(f, "the upstream call failed: {why}"),
        }
    }
}

impl std::error::Error for CallError {}
