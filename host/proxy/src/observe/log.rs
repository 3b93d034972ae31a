//! The access log: one line per exchange, made of its record when it has ended, written by a separate thread.
//!
//! What is told is ruled by `[log]` of the serving generation; where it goes is settled at the start.

mod body;
mod line;
mod metrics;
mod redact;
mod sample;
mod text;
mod writer;

use std::io::Write;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::HeaderName;
use portcullis_config::plan::{Log, LogField, Sample};
use portcullis_exchange::Exchange;

use self::line::Line;
use self::redact::Redaction;
use self::sample::Ended;
use self::text::Colours;
use self::writer::Queue;
use crate::observe::record::{Excerpt, Record};

pub use self::metrics::LogMetrics;
pub use self::writer::Writer;

#[derive(Debug)]
pub struct AccessLog {
    look: Look,
    rules: ArcSwap<Rules>,
    queue: Queue,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Json,
    /// For people; in colours where they can be shown.
    Text {
        colours: bool,
    },
}

/// `[log]`, ready to be used.
#[derive(Debug)]
struct Rules {
    fields: Vec<LogField>,
    request_headers: Vec<HeaderName>,
    response_headers: Vec<HeaderName>,
    redaction: Redaction,
    sample: Vec<Sample>,
}

// === impl AccessLog ===

impl AccessLog {
    /// Writes to `out` from a thread that ends when the log is dropped.
    pub fn start(
        plan: &Log,
        look: Look,
        out: impl Write + Send + 'static,
        metrics: LogMetrics,
    ) -> std::io::Result<(AccessLog, Writer)> {
        let (queue, writer) = writer::start(out, metrics)?;
        let log = AccessLog {
            look,
            rules: ArcSwap::from_pointee(Rules::new(plan)),
            queue,
        };
        Ok((log, writer))
    }

    /// Goes by the rules of another generation from now on.
    pub(crate) fn follow(&self, plan: &Log) {
        self.rules.store(Rules::new(plan).into());
    }

    /// What of a request is logged besides what every record has.
    pub(crate) fn request(&self, x: &Exchange) -> Option<Box<Excerpt>> {
        let rules = self.rules.load();
        let query = rules.fields.contains(&LogField::Query);
        if !query && rules.request_headers.is_empty() && rules.response_headers.is_empty() {
            return None;
        }
        Some(Box::new(Excerpt {
            query: x.target.query().filter(|_| query).map(str::to_owned),
            request_headers: chosen(&rules.request_headers, &x.request),
            ..Excerpt::default()
        }))
    }

    pub(crate) fn response(&self, excerpt: &mut Excerpt, headers: &HeaderMap) {
        excerpt.response_headers = chosen(&self.rules.load().response_headers, headers);
    }

    /// Writes the line of an exchange that has ended, unless sampling leaves it out.
    pub(crate) fn write(&self, record: &Record, took: Duration) {
        let rules = self.rules.load();
        let ended = Ended {
            status: record.status,
            route: record.route.as_deref(),
            aborted: record.aborted,
            request_id: &record.request_id,
        };
        if !sample::keeps(&rules.sample, &ended) {
            self.queue.metrics.sampled_out.inc();
            return;
        }
        let mut line = match self.look {
            Look::Json => rules.json(record, took),
            Look::Text { colours } => text::line(record, took, Colours(colours)).into_bytes(),
        };
        line.push(b'\n');
        self.queue.hand_over(line);
    }
}

// === impl Rules ===

impl Rules {
    fn new(plan: &Log) -> Rules {
        // The plan has names of headers only.
        let headers = |names: &[String]| {
            let names = names.iter();
            names
                .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
                .collect()
        };
        Rules {
            fields: plan.fields.clone(),
            request_headers: headers(&plan.request_headers),
            response_headers: headers(&plan.response_headers),
            redaction: Redaction::new(&plan.redact),
            sample: plan.sample.clone(),
        }
    }

    fn json(&self, record: &Record, took: Duration) -> Vec<u8> {
        let line = Line {
            record,
            took,
            fields: &self.fields,
            redaction: &self.redaction,
        };
        let mut text = Vec::with_capacity(512);
        // Writing to memory cannot fail, and the keys are strings.
        let _ = serde_json::to_writer(&mut text, &line);
        text
    }
}

/// Those of `headers` that are to be told. None where none is.
fn chosen(names: &[HeaderName], headers: &HeaderMap) -> Option<HeaderMap> {
    if names.is_empty() {
        return None;
    }
    let mut chosen = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            chosen.append(name.clone(), value.clone());
        }
    }
    Some(chosen)
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
