//! The trail in JSON, as a response header carries it and as `explain` reads it.

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::step::NOT_ASKED;

/// The header, for requests that were signed.
pub const TRAIL: HeaderName = HeaderName::from_static("portcullis-trail");

/// In JSON, in this order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trail {
    pub request_id: String,
    /// None: it is not known.
    pub client_ip: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    pub route: Option<String>,
    pub caller: Option<String>,
    pub upstream: Option<String>,
    pub server: Option<String>,
    pub cache: Option<String>,
    /// None: no answer was made, because that is for a server to do.
    pub status: Option<u16>,
    pub refusal: Option<String>,
    pub because: Option<String>,
    pub took_us: u64,
    pub steps: Vec<Step>,
    pub left_out: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Step {
    pub step: String,
    pub of: String,
    pub at_us: u64,
    pub took_us: u64,
    pub outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<usize>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Try>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Cost {
    pub cpu_us: u64,
    pub memory: u64,
    pub host_calls: u32,
    pub outbound_calls: u32,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Try {
    pub server: String,
    pub number: u32,
    pub because: String,
    pub status: Option<u16>,
}

impl Trail {
    /// What an answer tells; None where that is nothing.
    pub fn told(headers: &HeaderMap) -> Option<Trail> {
        serde_json::from_slice(headers.get(TRAIL)?.as_bytes()).ok()
    }

    /// Without what a rehearsal says in a server's place.
    pub fn rehearsed(mut self) -> Trail {
        if self.stops_short() {
            (self.status, self.refusal, self.because) = (None, None, None);
        }
        self
    }

    /// The server that a rehearsal would have asked.
    pub fn would_ask(&self) -> Option<&str> {
        let mut steps = self.steps.iter().filter(|step| step.step == "try");
        let step = steps.find(|step| step.outcome == NOT_ASKED)?;
        step.tried.as_ref().map(|tried| tried.server.as_str())
    }

    /// A rehearsal that ended where a server would have been asked.
    pub fn stops_short(&self) -> bool {
        let steps = || self.steps.iter();
        steps().any(|step| step.outcome == NOT_ASKED && step.step == "try")
    }

    /// Calls of plugins that a rehearsal did not make.
    pub fn calls_not_made(&self) -> usize {
        let not_made = |step: &&Step| step.step == "call" && step.outcome == NOT_ASKED;
        self.steps.iter().filter(not_made).count()
    }
}
