//! What an exchange can see of its request body while a connection to a server reads it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::ground::refusal::{Reason, Refusal};
use crate::observe::tap::Tap;

/// The progress of a request body.
#[derive(Debug, Default)]
pub struct Watch {
    bytes: AtomicU64,
    ended: AtomicBool,
    problem: AtomicU8,
    /// What the access log keeps of it.
    tap: Option<Tap>,
}

/// Why a request body failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    TooLarge,
    /// The client broke off or sent something invalid.
    Broken,
}

// === impl Watch ===

impl Watch {
    pub(crate) fn tapped(tap: Option<Tap>) -> Watch {
        Watch {
            tap,
            ..Watch::default()
        }
    }

    /// Of a request without a body.
    pub(crate) fn over() -> Watch {
        Watch {
            ended: AtomicBool::new(true),
            ..Watch::default()
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The last byte was read (or there was none to read).
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn problem(&self) -> Option<Problem> {
        match self.problem.load(Ordering::Relaxed) {
            1 => Some(Problem::TooLarge),
            2 => Some(Problem::Broken),
            _ => None,
        }
    }

    /// Bytes of the body came.
    pub(crate) fn saw(&self, data: &[u8]) {
        self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        if let Some(tap) = &self.tap {
            tap.saw(data);
        }
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self, problem: Problem) {
        self.problem.store(
            if problem == Problem::TooLarge { 1 } else { 2 },
            Ordering::Relaxed,
        );
    }
}

// === impl Problem ===

impl Problem {
    /// What it means for the exchange. `limit`: bytes that the body may have.
    pub(crate) fn refusal(self, limit: u64) -> Refusal {
        match self {
            Problem::TooLarge => Refusal::new(Reason::BodyTooLarge)
                .detail(format!("the body may have at most {limit} bytes"))
                .closing(),
            Problem::Broken => Refusal::new(Reason::MalformedRequest)
                .detail("the request body broke off or is not valid")
                .closing(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Problem::TooLarge => "the request body is larger than allowed",
            Problem::Broken => "the client broke off the request body",
        })
    }
}

impl std::error::Error for Problem {}
