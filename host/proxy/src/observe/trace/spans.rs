//! From finished exchanges to OTLP: a span for each exchange, and one for each of its steps. Names and attributes
//! are those of the stable semantic conventions for HTTP; ours begin with `portcullis.`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Code;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use portcullis_exchange::{Cost, Facts, Step, Try};

use super::headers::micros;
use super::tracer::Finished;
use crate::ground::registry::clamped;

/// Bit 0 of a span's flags says that the trace is sampled; bits 8 and 9, that it is known whether the parent is remote,
/// and that it is (trace.proto, SpanFlags).
const SAMPLED: u32 = 1;
const KNOWN: u32 = 1 << 8;
const REMOTE: u32 = 1 << 9;

pub(super) fn request(service: &str, all: &[Box<Finished>]) -> ExportTraceServiceRequest {
    let spans = all.iter().flat_map(|finished| spans(finished)).collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", service),
                    text("service.version", env!("CARGO_PKG_VERSION")),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "portcullis".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn spans(finished: &Finished) -> Vec<Span> {
    finished.trail.read(|steps, left_out| {
        let mut spans = Vec::with_capacity(1 + steps.len());
        spans.push(whole(finished, left_out));
        spans.extend((0..).zip(steps).map(|(at, step)| part(finished, at, step)));
        spans
    })
}

/// The SERVER span.
fn whole(f: &Finished, left_out: u32) -> Span {
    let status = f.status.as_u16();
    let method = method(&f.method);
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.path", &f.path),
        text("url.scheme", f.scheme),
        number("http.response.status_code", i64::from(status)),
        text("server.address", &f.host),
        text("portcullis.request_id", &f.request_id),
    ];
    if method == OTHER {
        attributes.push(text("http.request.method_original", f.method.as_str()));
    }
    let optional = [
        ("http.route", f.pattern.as_deref()),
        ("user_agent.original", f.place.user_agent.as_deref()),
        ("portcullis.route", f.route.as_deref()),
        ("portcullis.refusal", f.refusal),
        ("portcullis.cache", f.cache),
    ];
    let given = optional.into_iter().filter_map(|(n, v)| Some(text(n, v?)));
    attributes.extend(given);
    let client = f
        .client_ip
        .map(|ip| text("client.address", &ip.to_string()));
    attributes.extend(client);
    if left_out > 0 {
        attributes.push(number("portcullis.steps_left_out", left_out.into()));
    }
    // Of servers, only 5xx is an error (semantic conventions, HTTP spans, status).
    let is_error = status >= 500 || f.aborted;
    if is_error {
        let kind = match f.refusal {
            Some(reason) => reason.to_owned(),
            None if f.aborted => "aborted".to_owned(),
            None => status.to_string(),
        };
        attributes.push(text("error.type", &kind));
    }
    let parent = f.place.parent.as_ref();
    Span {
        parent_span_id: parent.map_or_else(Vec::new, |p| p.span.to_be_bytes().to_vec()),
        trace_state: parent.map_or_else(String::new, |p| p.state.to_string()),
        flags: flags(f) | if parent.is_some() { REMOTE } else { 0 },
        attributes,
        ..span(
            f,
            f.place.ids.span,
            match &f.pattern {
                Some(pattern) => format!("{method} {pattern}"),
                None => method.to_owned(),
            },
            (SpanKind::Server, is_error),
            (Duration::ZERO, f.took),
        )
    }
}

/// The span of a step: CLIENT where a server is asked.
fn part(f: &Finished, at: usize, step: &Step) -> Span {
    let ids = f.place.ids;
    let parent = step.within.map_or(ids.span, |at| ids.step(at));
    let mut attributes = vec![text("portcullis.outcome", step.outcome)];
    let (kind, name) = match &step.facts {
        Facts::Try(tried) if step.what.is_asking() => {
            asking(step, tried, &mut attributes);
            (SpanKind::Client, method(&tried.method).to_owned())
        }
        facts => {
            attributes.push(text("portcullis.step", step.what.as_str()));
            attributes.push(text(about(step), &step.of));
            match facts {
                Facts::Cost(cost) => costing(cost, &mut attributes),
                Facts::Note(words) => attributes.push(text("portcullis.note", words)),
                Facts::None | Facts::Try(_) => {}
            }
            (
                SpanKind::Internal,
                format!("{} {}", step.what.as_str(), step.of),
            )
        }
    };
    let is_error = failed(step);
    if is_error {
        let status = match &step.facts {
            Facts::Try(tried) => tried.status.map(|status| status.to_string()),
            _ => None,
        };
        let kind = status.unwrap_or_else(|| step.outcome.to_owned());
        attributes.push(text("error.type", &kind));
    }
    Span {
        parent_span_id: parent.to_be_bytes().to_vec(),
        flags: flags(f),
        attributes,
        ..span(
            f,
            ids.step(at),
            name,
            (kind, is_error),
            (step.start, step.took),
        )
    }
}

/// Of clients, 4xx and 5xx are errors. A plugin that refuses does what it is for.
fn failed(step: &Step) -> bool {
    match &step.facts {
        Facts::Try(tried) => tried.status.is_none_or(|status| status >= 400),
        Facts::Cost(_) => !matches!(step.outcome, "ok" | "refused"),
        Facts::None | Facts::Note(_) => false,
    }
}

fn about(step: &Step) -> &'static str {
    use portcullis_exchange::What::{Cache, Call, Find, LimitByAddress, LimitByCaller, Try};
    match step.what {
        Find | Cache => "portcullis.route",
        LimitByAddress | LimitByCaller => "portcullis.limit",
        Try | Call => "portcullis.upstream",
        _ => "portcullis.plugin",
    }
}

fn asking(step: &Step, tried: &Try, attributes: &mut Vec<KeyValue>) {
    let (host, port) = match tried.server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<i64>().ok()),
        None => (&*tried.server, None),
    };
    attributes.push(text("portcullis.step", step.what.as_str()));
    attributes.push(text("portcullis.upstream", &step.of));
    attributes.push(text("portcullis.try_because", tried.because));
    attributes.push(text("http.request.method", method(&tried.method)));
    attributes.push(text("server.address", host));
    let (scheme, path) = (tried.scheme, tried.target.path());
    let url = format!("{scheme}://{}{path}", tried.server);
    attributes.push(text("url.full", &url));
    attributes.extend(port.map(|port| number("server.port", port)));
    if tried.number > 1 {
        let again = i64::from(tried.number) - 1;
        attributes.push(number("http.request.resend_count", again));
    }
    let status = tried.status.map(i64::from);
    attributes.extend(status.map(|status| number("http.response.status_code", status)));
}

fn costing(cost: &Cost, attributes: &mut Vec<KeyValue>) {
    attributes.extend([
        number("portcullis.cpu_us", clamped(micros(cost.cpu))),
        number("portcullis.memory_bytes", clamped(cost.memory)),
        number("portcullis.host_calls", cost.host_calls.into()),
        number("portcullis.outbound_calls", cost.outbound_calls.into()),
    ]);
}

/// What all spans have.
fn span(
    f: &Finished,
    id: u64,
    name: String,
    (kind, is_error): (SpanKind, bool),
    (start, took): (Duration, Duration),
) -> Span {
    let at =
        |time: Duration| nanos(f.began) + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX >> 1);
    let code = if is_error { Code::Error } else { Code::Unset };
    Span {
        trace_id: f.place.ids.trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        name,
        kind: kind.into(),
        start_time_unix_nano: at(start),
        end_time_unix_nano: at(start.saturating_add(took)),
        status: Some(Status {
            code: code.into(),
            ..Status::default()
        }),
        ..Span::default()
    }
}

fn flags(f: &Finished) -> u32 {
    KNOWN | if f.place.ids.sampled { SAMPLED } else { 0 }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Until the year 2262.
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX >> 1)
}

const OTHER: &str = "_OTHER";

/// The methods that the semantic conventions know.
fn method(method: &Method) -> &str {
    const KNOWN: [Method; 9] = [
        Method::CONNECT,
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
        Method::TRACE,
    ];
    if KNOWN.contains(method) {
        method.as_str()
    } else {
        OTHER
    }
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, Value::StringValue(value.to_owned()))
}

fn number(name: &str, value: i64) -> KeyValue {
    attribute(name, Value::IntValue(value))
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
