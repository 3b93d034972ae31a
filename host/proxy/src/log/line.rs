//! A line in JSON: the fields that were chosen, in one order.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::millis;
use super::redact::{REDACTED, Redaction};
use crate::cache::Outcome;
use crate::journal::Journal;
use crate::refusal::Reason;

/// What can be told, by the names of gateway.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    ClientIp,
    Method,
    Host,
    Path,
    Query,
    Status,
    BytesIn,
    BytesOut,
    Duration,
    Route,
    Caller,
    Upstream,
    Server,
    Cache,
    RequestId,
    TraceId,
    Refusal,
    Limit,
    Limited,
    Because,
    Aborted,
    Websocket,
}

/// One exchange as it is told.
pub(super) struct Line<'a> {
    pub(super) journal: &'a Journal,
    pub(super) took: Duration,
    pub(super) fields: &'a [Field],
    pub(super) redaction: &'a Redaction,
}

/// The longest value of a header that is told.
const LONGEST: usize = 1024;

// === impl Field ===

impl Field {
    const ALL: [(&'static str, Field); 23] = [
        ("time", Field::Time),
        ("client_ip", Field::ClientIp),
        ("method", Field::Method),
        ("host", Field::Host),
        ("path", Field::Path),
        ("query", Field::Query),
        ("status", Field::Status),
        ("bytes_in", Field::BytesIn),
        ("bytes_out", Field::BytesOut),
        ("duration_ms", Field::Duration),
        ("route", Field::Route),
        ("caller", Field::Caller),
        ("upstream", Field::Upstream),
        ("server", Field::Server),
        ("cache", Field::Cache),
        ("request_id", Field::RequestId),
        ("trace_id", Field::TraceId),
        ("refusal", Field::Refusal),
        ("limit", Field::Limit),
        ("limited", Field::Limited),
        ("because", Field::Because),
        ("aborted", Field::Aborted),
        ("websocket", Field::Websocket),
    ];

    pub(super) fn named(name: &str) -> Option<Field> {
        let found = Field::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| *field)
    }
}

// === impl Line ===

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.fields {
            self.field(*field, &mut map)?;
        }
        if let Some(told) = &self.journal.told {
            let headers = [
                ("request_headers", &told.request_headers),
                ("response_headers", &told.response_headers),
            ];
            for (name, headers) in headers {
                if let Some(headers) = headers {
                    map.serialize_entry(name, &Headers(headers, self.redaction))?;
                }
            }
            let bodies = [
                ("request_body", &told.request_body),
                ("response_body", &told.response_body),
            ];
            for (name, body) in bodies {
                if let Some(body) = body {
                    map.serialize_entry(name, &body.told(self.redaction))?;
                }
            }
        }
        map.end()
    }
}

impl Line<'_> {
    fn field<M: SerializeMap>(&self, field: Field, map: &mut M) -> Result<(), M::Error> {
        let j = self.journal;
        match field {
            Field::Time => {
                let time = humantime::format_rfc3339_millis(j.time);
                map.serialize_entry("time", &format_args!("{time}"))
            }
            Field::ClientIp => map.serialize_entry("client_ip", &j.client_ip),
            Field::Method => map.serialize_entry("method", j.method.as_str()),
            Field::Host => map.serialize_entry("host", &j.host),
            Field::Path => map.serialize_entry("path", &j.path),
            Field::Query => {
                let query = j.told.as_ref().and_then(|told| told.query.as_deref());
                let query = query.map(|query| self.redaction.query(query));
                map.serialize_entry("query", &query)
            }
            Field::Status => map.serialize_entry("status", &j.status.as_u16()),
            Field::BytesIn => map.serialize_entry("bytes_in", &j.bytes_in()),
            Field::BytesOut => map.serialize_entry("bytes_out", &j.bytes_out),
            Field::Duration => map.serialize_entry("duration_ms", &millis(self.took)),
            Field::Route => map.serialize_entry("route", &j.route.as_deref()),
            Field::Caller => map.serialize_entry("caller", &j.caller.as_deref()),
            Field::Upstream => map.serialize_entry("upstream", &j.upstream.as_deref()),
            Field::Server => map.serialize_entry("server", &j.server.as_deref()),
            Field::Cache => map.serialize_entry("cache", &j.cache.map(Outcome::as_str)),
            Field::RequestId => map.serialize_entry("request_id", &*j.request_id),
            Field::TraceId => match j.trace.id() {
                Some(id) => map.serialize_entry("trace_id", &id),
                // Without [traces].
                None => Ok(()),
            },
            Field::Refusal => map.serialize_entry("refusal", &j.refusal.map(Reason::as_str)),
            Field::Limit => {
                let limit = j.limited.noted().map(|(limit, _)| limit);
                map.serialize_entry("limit", &limit)
            }
            Field::Limited => {
                let outcome = j.limited.noted().map(|(_, outcome)| outcome);
                map.serialize_entry("limited", &outcome)
            }
            Field::Because => map.serialize_entry("because", &j.because.as_deref()),
            Field::Aborted => map.serialize_entry("aborted", &j.aborted),
            Field::Websocket => match &j.socket {
                Some(account) => map.serialize_entry(
                    "websocket",
                    &serde_json::json!({
                        "ended": account.ended,
                        "code": account.code,
                        "messages_in": account.passed[0].messages,
                        "messages_out": account.passed[1].messages,
                    }),
                ),
                None => Ok(()),
            },
        }
    }
}

/// Headers that were asked for, with what is secret in them redacted.
struct Headers<'a>(&'a HeaderMap, &'a Redaction);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.0.keys() {
            map.serialize_entry(name.as_str(), &self.told(name))?;
        }
        map.end()
    }
}

impl Headers<'_> {
    /// Several of one name are one value (RFC 9110 section 5.3).
    fn told(&self, name: &HeaderName) -> Value {
        let values = self.0.get_all(name).iter();
        let values: Vec<Cow<'_, str>> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let mut told = self
            .1
            .header(name.as_str(), &values.join(", "))
            .into_owned();
        if told != REDACTED && told.len() > LONGEST {
            told.truncate(told.floor_char_boundary(LONGEST));
            told.push('…');
        }
        told.into()
    }
}
