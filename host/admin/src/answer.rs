//! What the admin listener answers: pages, and problems (RFC 9457). One place sets the headers of them all.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use schemars::JsonSchema;
use serde::Serialize;

/// Whole, or a stream of events.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;
pub(crate) type Answer = Response<Body>;

/// Why an operation was not done: a problem document. `kind` is its `type`, a word that scripts may test.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    headers: Box<HeaderMap>,
}

/// What was done, in words, for the audit line; an extension of the answer. Never a secret.
#[derive(Debug, Clone)]
pub(crate) struct AuditDetail(pub(crate) String);

/// RFC 9457
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProblemPage<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";
pub(crate) const PROBLEM: &str = "application/problem+json";

/// For every answer that says nothing else: no sniffing, no framing, no storing, nothing loaded from anywhere.
const HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

pub(crate) fn page(kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let whole = Full::new(text.into());
    let mut answer = Response::new(whole.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

pub(crate) fn json(value: &impl Serialize) -> Result<Answer, Problem> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "unprintable", error.to_string())
    })?;
    Ok(page(JSON, text + "\n"))
}

/// Adds what every answer has.
pub(crate) fn hardened(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        if !headers.contains_key(*name) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
    }
    answer
}

// === impl Problem ===

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Problem {
            status,
            kind,
            detail: detail.into(),
            headers: Box::default(),
        }
    }

    /// 404: there is nothing of this name.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 400: the request cannot be read.
    pub(crate) fn unreadable(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "unreadable", detail)
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The connection is of no use after it: a body was not read.
    #[must_use]
    pub(crate) fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Answer {
        let status = problem.status;
        let document = ProblemPage {
            r#type: problem.kind,
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &problem.detail,
        };
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        let mut answer = page(PROBLEM, text + "\n");
        *answer.status_mut() = status;
        answer.headers_mut().extend(*problem.headers);
        answer
    }
}
