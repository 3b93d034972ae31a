//! The trail as the gateway tells it, in a header.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) request_id: String,
    pub(super) client_ip: std::net::IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<String>,
    pub(super) route: Option<String>,
    pub(super) caller: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) server: Option<String>,
    pub(super) cache: Option<String>,
    /// None: no answer was made, because that is for a server to do.
    pub(super) status: Option<u16>,
    pub(super) refusal: Option<String>,
    pub(super) because: Option<String>,
    pub(super) took_us: u64,
    pub(super) steps: Vec<Step>,
    pub(super) left_out: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) step: String,
    pub(super) of: String,
    pub(super) at_us: u64,
    pub(super) took_us: u64,
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) within: Option<usize>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<Cost>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) tried: Option<Try>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) cpu_us: u64,
    pub(super) memory: u64,
    pub(super) host_calls: u32,
    pub(super) outbound_calls: u32,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Try {
    pub(super) server: String,
    pub(super) number: u32,
    pub(super) because: String,
    pub(super) status: Option<u16>,
}

/// How a step ends that a rehearsal does not take.
const NOT_ASKED: &str = "not_asked";

impl Trail {
    pub(super) fn told(headers: &HeaderMap) -> Option<Trail> {
        serde_json::from_slice(headers.get(super::TRAIL)?.as_bytes()).ok()
    }

    /// Without what a rehearsal says in a server's place.
    pub(super) fn rehearsed(mut self) -> Trail {
        if self.stops_short() {
            (self.status, self.refusal, self.because) = (None, None, None);
        }
        self
    }

    /// The server that a rehearsal would have asked.
    pub(super) fn would_ask(&self) -> Option<&str> {
        let mut steps = self.steps.iter().filter(|step| step.step == "try");
        let step = steps.find(|step| step.outcome == NOT_ASKED)?;
        step.tried.as_ref().map(|tried| tried.server.as_str())
    }

    /// A rehearsal that ended where a server would have been asked.
    pub(super) fn stops_short(&self) -> bool {
        let steps = || self.steps.iter();
        steps().any(|step| step.outcome == NOT_ASKED && step.step == "try")
    }

    /// Calls of plugins that a rehearsal did not make.
    pub(super) fn calls_not_made(&self) -> usize {
        let not_made = |step: &&Step| step.step == "call" && step.outcome == NOT_ASKED;
        self.steps.iter().filter(not_made).count()
    }
}
