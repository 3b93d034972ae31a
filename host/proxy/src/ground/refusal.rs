//! Refusals: the closed list of reasons why an exchange does not go on, and what the client is told.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use portcullis_exchange::RefusalReason;
use portcullis_runtime::CallError;
use portcullis_syntax::wire::{Fault, FaultKind};
use serde_json::{Map, Value, json};

macro_rules! reasons {
    ($($variant:ident $name:literal $status:literal $title:literal),+ $(,)?) => {
        /// Why. The name is the metric label, the log field and the `type` of the problem document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason { $($variant),+ }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $name),+ }
            }

            /// The one table from reasons to statuses.
            pub fn status(self) -> StatusCode {
                let code = match self { $(Reason::$variant => $status),+ };
                StatusCode::from_u16(code).expect("the table has valid codes")
            }

            pub fn title(self) -> &'static str {
                match self { $(Reason::$variant => $title),+ }
            }
        }
    };
}

reasons! {
    MalformedRequest    "malformed_request"    400 "The request is not valid HTTP",
    InvalidRequest      "invalid_request"      400 "The request is not valid",
    Unauthenticated     "unauthenticated"      401 "Who you are could not be established",
    Forbidden           "forbidden"            403 "You may not do this",
    AddressDenied       "address_denied"       403 "Your address may not come in here",
    OriginNotAllowed    "origin_not_allowed"   403 "Pages of this origin may not do this",
    RouteNotFound       "route_not_found"      404 "There is nothing at this address",
    NotFound            "not_found"            404 "There is no such thing",
    MethodNotAllowed    "method_not_allowed"   405 "This method is not allowed here",
    RequestTimeout      "request_timeout"      408 "The request took too long to arrive",
    Conflict            "conflict"             409 "The request conflicts with the state of the resource",
    BodyTooLarge        "body_too_large"       413 "The request body is too large",
    UriTooLong          "uri_too_long"         414 "The request target is too long",
    UnsupportedMedia    "unsupported_media"    415 "This media type is not supported",
    Unprocessable       "unprocessable"        422 "The content could not be processed",
    UpgradeRequired     "upgrade_required"     426 "This needs another protocol",
    RateLimited         "rate_limited"         429 "Too many requests",
    TooManyAtOnce       "too_many_at_once"     429 "Too many requests at once",
    TooManySockets      "too_many_sockets"     429 "You have too many WebSockets open",
    HeadTooLarge        "head_too_large"       431 "The request head is too large",
    PluginFailed        "plugin_failed"        500 "The gateway could not process the request",
    PluginTimedOut      "plugin_timed_out"     500 "The gateway could not process the request in time",
    Internal            "internal"             500 "The gateway made a mistake",
    MethodNotSupported  "method_not_supported" 501 "The gateway does not support this method",
    EncodingNotSupported "encoding_not_supported" 501 "The gateway does not support this transfer encoding",
    UpstreamUnreachable "upstream_unreachable" 502 "The service could not be reached",
    UpstreamBroken      "upstream_broken"      502 "The service gave an invalid answer",
    Unavailable         "unavailable"          503 "The service is not available",
    Maintenance         "maintenance"          503 "Closed for maintenance",
    PluginsBusy         "plugins_busy"         503 "The gateway is at its limit",
    NotStored           "not_stored"           504 "There is no stored response, and no other was wanted",
    Overloaded          "overloaded"           503 "The gateway is overloaded",
    RouteBusy           "route_busy"           503 "Too many such requests are being served",
    UpstreamBusy        "upstream_busy"        503 "The service is at its limit",
    CircuitOpen         "circuit_open"         503 "The service is failing and is left alone for a while",
    SocketsFull         "sockets_full"         503 "No more WebSockets can be opened here",
    UpstreamTimeout     "upstream_timeout"     504 "The service did not answer in time",
    DeadlineExceeded    "deadline_exceeded"    504 "The time for this request is over",
}

/// A refusal on its way to the client. `because` never leaves the gateway.
#[derive(Debug)]
pub struct Refusal {
    pub reason: Reason,
    pub detail: Option<String>,
    pub because: Option<String>,
    /// Boxed: a refusal is the error of every step, and most have none.
    pub headers: Box<HeaderMap>,
    pub members: Vec<(String, String)>,
    /// The connection cannot be used for another request.
    pub close: bool,
    /// An authenticator saw no credential of its kind: the next one may be asked.
    pub absent: bool,
}

/// The member by which an authenticator says that there is no credential of its kind (`Refusal::absent` of the
/// SDK). Not for the client.
const ABSENT: &str = "absent";

/// Seconds that a client is asked to wait where nothing more exact is known.
const RETRY_AFTER_SECONDS: &str = "1";

impl Refusal {
    pub fn new(reason: Reason) -> Refusal {
        Refusal {
            reason,
            detail: None,
            because: None,
            headers: Box::default(),
            members: Vec::new(),
            close: false,
            absent: false,
        }
    }

    /// What was refused on the wire. The connection cannot be used again.
    pub(crate) fn of_wire(fault: Fault) -> Refusal {
        let reason = match fault.kind {
            FaultKind::Malformed => Reason::MalformedRequest,
            FaultKind::HeadTooLarge => Reason::HeadTooLarge,
            FaultKind::Encoding => Reason::EncodingNotSupported,
            FaultKind::TimedOut => Reason::RequestTimeout,
        };
        Refusal::new(reason).detail(fault.detail).closing()
    }

    /// For the client.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Refusal {
        self.detail = Some(text.into());
        self
    }

    /// For the log.
    #[must_use]
    pub fn because(mut self, text: impl Into<String>) -> Refusal {
        self.because = Some(text.into());
        self
    }

    #[must_use]
    pub fn closing(mut self) -> Refusal {
        self.close = true;
        self
    }

    /// RFC 9110 section 10.2.3: in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Refusal {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// RFC 9110 section 15.5.6: a 405 lists what is allowed.
    pub fn method_not_allowed(allowed: &[String]) -> Refusal {
        let mut refusal = Refusal::new(Reason::MethodNotAllowed);
        if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
            refusal.headers.insert(ALLOW, value);
        }
        refusal
    }

    /// What a plugin's call came to when it did not go on.
    pub fn from_call(plugin: &str, error: CallError) -> Refusal {
        let (reason, refusal) = match error {
            CallError::Refused(refusal) => (plugin_reason(refusal.reason), Some(refusal)),
            CallError::Overloaded => (Reason::PluginsBusy, None),
            CallError::TimedOut(time) => {
                let text = format!("plugin {plugin} ran longer than its {time:?}");
                return Refusal::new(Reason::PluginTimedOut).because(text);
            }
            other => {
                let text = format!("plugin {plugin}: {other}");
                return Refusal::new(Reason::PluginFailed).because(text);
            }
        };
        let base = Refusal::new(reason);
        match refusal {
            None => base.because(format!("plugin {plugin}: no free instance")),
            Some(said) => Refusal {
                detail: said.detail,
                because: said.because.map(|text| format!("plugin {plugin}: {text}")),
                headers: Box::new(said.headers),
                absent: said.members.iter().any(|(name, _)| name == ABSENT),
                members: said
                    .members
                    .into_iter()
                    .filter(|(name, _)| name != ABSENT)
                    .collect(),
                ..base
            },
        }
    }

    /// The response (RFC 9457 problem document).
    pub fn to_response(&self, request_id: &str) -> Response<Bytes> {
        let status = self.reason.status();
        let mut problem = Map::new();
        for (name, text) in &self.members {
            // A member that is not JSON is the plugin's slip, not a reason to answer nothing.
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
            problem.insert(name.clone(), value);
        }
        problem.insert("type".into(), json!(self.reason.as_str()));
        problem.insert("title".into(), json!(self.reason.title()));
        problem.insert("status".into(), json!(status.as_u16()));
        problem.insert("request_id".into(), json!(request_id));
        if let Some(detail) = &self.detail {
            problem.insert("detail".into(), json!(detail));
        }
        let mut response = Response::new(Bytes::from(Value::Object(problem).to_string()));
        *response.status_mut() = status;
        *response.headers_mut() = (*self.headers).clone();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        let waits = matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        if waits && !headers.contains_key(RETRY_AFTER) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

fn plugin_reason(reason: RefusalReason) -> Reason {
    match reason {
        RefusalReason::Unauthenticated => Reason::Unauthenticated,
        RefusalReason::Forbidden => Reason::Forbidden,
        RefusalReason::InvalidRequest => Reason::InvalidRequest,
        RefusalReason::NotFound => Reason::NotFound,
        RefusalReason::Conflict => Reason::Conflict,
        RefusalReason::TooLarge => Reason::BodyTooLarge,
        RefusalReason::UnsupportedMediaType => Reason::UnsupportedMedia,
        RefusalReason::Unprocessable => Reason::Unprocessable,
        RefusalReason::RateLimited => Reason::RateLimited,
        RefusalReason::BadGateway => Reason::UpstreamBroken,
        RefusalReason::Unavailable => Reason::Unavailable,
    }
}
