//! What is wrong with a message, and how it is told.

use portcullis_sdk::prelude::*;
use serde_json::{Value, json};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub place: Place,
    /// JSON Pointer (RFC 6901): into the body; for a parameter its name comes first.
    pub pointer: String,
    pub detail: String,
    pub kind: Kind,
}

/// The part of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Body,
    Query,
    Header,
    Path,
    Status,
}

/// Whether it could be held against a schema at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is missing, or cannot be read.
    Unreadable,
    /// It is over a limit.
    TooLarge,
    /// The schema says no.
    Violation,
}

/// What is wrong, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
    most: usize,
}

/// Why a message does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    UnknownOperation,
    /// A header or the query names another method than the request's.
    Overridden,
    /// The body has another content type or coding.
    MediaType(String),
    Findings(Findings),
}

const OVERRIDDEN: &str = "the request names another method than its own";

/// How much of a sentence is told: it may name what the client sent.
const SHOWN: usize = 240;

/// The gateway keeps 1 KiB of a log line.
const LOGGED: usize = 900;

// === impl Place ===

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Body => "body",
            Place::Query => "query",
            Place::Header => "header",
            Place::Path => "path",
            Place::Status => "status",
        }
    }
}

// === impl Findings ===

impl Findings {
    /// None yet; what goes beyond `most` is left out.
    pub fn new(most: usize) -> Findings {
        Findings {
            list: Vec::new(),
            most,
        }
    }

    /// The status of a response that the document does not know.
    pub fn status(status: u16) -> Findings {
        let mut findings = Findings::new(1);
        let detail = format!("the document has no response {status} for this operation");
        findings.add(Kind::Violation, Place::Status, "", &detail);
        findings
    }

    pub fn add(&mut self, kind: Kind, place: Place, pointer: &str, detail: &str) {
        if !self.full() {
            self.list.push(Finding {
                place,
                pointer: bounded(pointer, SHOWN),
                detail: bounded(detail, SHOWN),
                kind,
            });
        }
    }

    pub fn full(&self) -> bool {
        self.list.len() >= self.most
    }

    pub fn room(&self) -> usize {
        self.most - self.list.len()
    }

    /// Nothing found is fine.
    pub fn checked(self) -> Result<(), Stop> {
        if self.list.is_empty() {
            Ok(())
        } else {
            Err(self.into())
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.list.iter().any(|finding| finding.kind == kind)
    }

    /// The worst kind names it.
    fn refusal(&self) -> Refusal {
        if self.has(Kind::TooLarge) {
            Refusal::too_large().detail("the body is over a limit")
        } else if self.has(Kind::Unreadable) {
            Refusal::invalid_request().detail("parts of the request are missing or cannot be read")
        } else {
            Refusal::unprocessable().detail("the request does not fit its schema")
        }
    }

    fn json(&self) -> Value {
        let list = self.list.iter().map(|finding| {
            json!({ "pointer": finding.pointer, "where": finding.place.name(), "detail": finding.detail })
        });
        list.collect()
    }
}

impl From<Findings> for Stop {
    fn from(findings: Findings) -> Stop {
        Stop::Findings(findings)
    }
}

// === impl Stop ===

impl Stop {
    /// For the client; the log is told the same.
    pub fn refusal(&self) -> Refusal {
        let refusal = match self {
            Stop::UnknownOperation => Refusal::not_found().detail("the API has no such operation"),
            Stop::Overridden => Refusal::invalid_request().detail(OVERRIDDEN),
            Stop::MediaType(why) => Refusal::unsupported_media_type().detail(why),
            Stop::Findings(findings) => findings.refusal().member("errors", findings.json()),
        };
        refusal.because(self.told())
    }

    /// In place of a response that does not fit.
    pub fn bad_gateway(&self) -> Refusal {
        Refusal::bad_gateway()
            .detail("the upstream's response does not fit its schema")
            .because(self.told())
    }

    /// For the log: places and rules, no values.
    pub fn told(&self) -> String {
        let text = match self {
            Stop::UnknownOperation => "the API has no such operation".to_owned(),
            Stop::Overridden => OVERRIDDEN.to_owned(),
            Stop::MediaType(why) => why.clone(),
            Stop::Findings(findings) => findings.json().to_string(),
        };
        bounded(&text, LOGGED)
    }
}

/// The text, cut between two characters.
fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(most)])
}
