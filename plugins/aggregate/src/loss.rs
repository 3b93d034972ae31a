//! A part that could not be had, and what the client hears when it was needed.

use portcullis_sdk::upstream::CallError;
use portcullis_sdk::{Fault, Refusal, Reply, log};
use serde_json::json;
use shape::Trouble;

/// Why a part is not there. The client may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No answer in time.
    Timeout,
    /// No connection, or a broken one.
    Unreachable,
    /// Larger than allowed.
    TooLarge,
    /// A status that is not accepted.
    Status,
    /// A body that is no JSON.
    NotJson,
    /// The answer, or one that it needs, lacks a value or has one that does not fit.
    Missing,
    /// A part that it needs is not there.
    Depends,
    /// The request lacks a value or has one that does not fit.
    Request,
    /// A call that should not have been made: no grant, no budget, not valid.
    Failed,
}

/// The reason, and what the log reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub(crate) reason: Reason,
    pub(crate) because: String,
}

impl Reason {
    /// A token of a header (RFC 9651).
    pub fn name(self) -> &'static str {
        match self {
            Reason::Timeout => "timeout",
            Reason::Unreachable => "unreachable",
            Reason::TooLarge => "too_large",
            Reason::Status => "status",
            Reason::NotJson => "not_json",
            Reason::Missing => "missing",
            Reason::Depends => "depends",
            Reason::Request => "request",
            Reason::Failed => "failed",
        }
    }
}

impl Loss {
    pub(crate) fn new(reason: Reason, because: impl Into<String>) -> Loss {
        Loss {
            reason,
            because: because.into(),
        }
    }

    /// A value that was to be put somewhere. `answers`: it was to come from an answer, and not from the request.
    pub(crate) fn of_trouble(trouble: &Trouble, answers: bool) -> Loss {
        let reason = match trouble {
            Trouble::Broken(_) => Reason::Failed,
            Trouble::Missing(_) | Trouble::Unfit(_) if answers => Reason::Missing,
            Trouble::Missing(_) | Trouble::Unfit(_) => Reason::Request,
        };
        Loss::new(reason, trouble.to_string())
    }

    /// With the call that it happened to.
    #[must_use]
    pub(crate) fn of(self, call: &str) -> Loss {
        Loss {
            because: format!("calls.{call}: {}", self.because),
            ..self
        }
    }

    /// What the client hears of a part that was needed. Nothing of what is behind the gateway.
    pub(crate) fn answer(self, request_id: Option<&str>) -> Result<Reply, Fault> {
        let (status, name, title) = match self.reason {
            Reason::Timeout => (
                504,
                "upstream_timeout",
                "The service did not answer in time",
            ),
            Reason::TooLarge
            | Reason::Status
            | Reason::NotJson
            | Reason::Missing
            | Reason::Depends => (502, "upstream_broken", "The service gave an invalid answer"),
            Reason::Unreachable => {
                return Err(Refusal::unavailable().because(self.because).into());
            }
            Reason::Request => {
                let refusal = Refusal::invalid_request().detail(
                    "the request lacks a value that this route needs, or has one that does not fit",
                );
                return Err(refusal.because(self.because).into());
            }
            Reason::Failed => return Err(Fault::failed(self.because)),
        };
        log::warn!("{}", self.because);
        let problem =
            json!({ "type": name, "title": title, "status": status, "request_id": request_id });
        let reply = Reply::new(status).header("content-type", "application/problem+json");
        Ok(reply.body(problem.to_string()))
    }
}

impl From<CallError> for Loss {
    fn from(error: CallError) -> Loss {
        let reason = match error {
            CallError::Timeout => Reason::Timeout,
            CallError::TooLarge => Reason::TooLarge,
            CallError::Connect(_) | CallError::Cancelled | CallError::Other(_) => {
                Reason::Unreachable
            }
            CallError::NotGranted | CallError::Budget | CallError::Invalid(_) => Reason::Failed,
        };
        Loss::new(reason, error.to_string())
    }
}
