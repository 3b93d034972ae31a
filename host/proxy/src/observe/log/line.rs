//! A line in JSON: the fields that were chosen, in one order.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use portcullis_config::plan::LogField;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::redact::{REDACTED, Redaction};
use super::{body, millis};
use crate::ground::refusal::Reason;
use crate::observe::record::{CacheOutcome, Record, SocketRecord};

/// One exchange as it is told.
pub(super) struct Line<'a> {
    pub(super) record: &'a Record,
    pub(super) took: Duration,
    pub(super) fields: &'a [LogField],
    pub(super) redaction: &'a Redaction,
}

/// The longest value of a header that is told.
const LONGEST: usize = 1024;

// === impl Line ===

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.fields {
            self.field(*field, &mut map)?;
        }
        if let Some(excerpt) = &self.record.excerpt {
            let headers = [
                ("request_headers", &excerpt.request_headers),
                ("response_headers", &excerpt.response_headers),
            ];
            for (name, headers) in headers {
                if let Some(headers) = headers {
                    map.serialize_entry(name, &Headers(headers, self.redaction))?;
                }
            }
            let bodies = [
                ("request_body", &excerpt.request_body),
                ("response_body", &excerpt.response_body),
            ];
            for (name, tap) in bodies {
                if let Some(tap) = tap {
                    map.serialize_entry(name, &body::redacted(tap, self.redaction))?;
                }
            }
        }
        map.end()
    }
}

impl Line<'_> {
    fn field<M: SerializeMap>(&self, field: LogField, map: &mut M) -> Result<(), M::Error> {
        let (j, name) = (self.record, field.as_str());
        match field {
            LogField::Time => {
                let time = humantime::format_rfc3339_millis(j.time);
                map.serialize_entry(name, &format_args!("{time}"))
            }
            LogField::ClientIp => map.serialize_entry(name, &j.client_ip),
            LogField::Method => map.serialize_entry(name, j.method.as_str()),
            LogField::Host => map.serialize_entry(name, &*j.host),
            LogField::Path => map.serialize_entry(name, j.path()),
            LogField::Query => {
                let query = j.excerpt.as_ref();
                let query = query.and_then(|excerpt| excerpt.query.as_deref());
                let query = query.map(|query| self.redaction.query(query));
                map.serialize_entry(name, &query)
            }
            LogField::Status => map.serialize_entry(name, &j.status.as_u16()),
            LogField::BytesIn => map.serialize_entry(name, &j.bytes_in()),
            LogField::BytesOut => map.serialize_entry(name, &j.bytes_out),
            LogField::Duration => map.serialize_entry(name, &millis(self.took)),
            LogField::Route => map.serialize_entry(name, &j.route.as_deref()),
            LogField::Caller => map.serialize_entry(name, &j.caller.as_deref()),
            LogField::Upstream => map.serialize_entry(name, &j.upstream.as_deref()),
            LogField::Server => map.serialize_entry(name, &j.server.as_deref()),
            LogField::Cache => map.serialize_entry(name, &j.cache.map(CacheOutcome::as_str)),
            LogField::RequestId => map.serialize_entry(name, &*j.request_id),
            LogField::TraceId => match j.trace_id() {
                Some(id) => map.serialize_entry(name, &id),
                // Without [traces].
                None => Ok(()),
            },
            LogField::Refusal => map.serialize_entry(name, &j.refusal.map(Reason::as_str)),
            LogField::Limit => {
                let limit = j.limit.as_ref().map(|(limit, _)| &**limit);
                map.serialize_entry(name, &limit)
            }
            LogField::Limited => {
                let outcome = j.limit.as_ref().map(|(_, outcome)| *outcome);
                map.serialize_entry(name, &outcome)
            }
            LogField::Because => map.serialize_entry(name, &j.because.as_deref()),
            LogField::Aborted => map.serialize_entry(name, &j.aborted),
            LogField::DroppedHeaders => match j.doubts.dropped.names() {
                names if names.is_empty() => Ok(()),
                names => map.serialize_entry(name, &names),
            },
            LogField::NotUnderstood => match &j.doubts.not_understood {
                Some(text) => map.serialize_entry(name, text),
                None => Ok(()),
            },
            LogField::Websocket => match &j.socket {
                Some(socket) => map.serialize_entry(name, &websocket(socket)),
                None => Ok(()),
            },
        }
    }
}

fn websocket(socket: &SocketRecord) -> Value {
    json!({
        "ended": socket.ended,
        "code": socket.code,
        "messages_in": socket.passed[0].messages,
        "messages_out": socket.passed[1].messages,
    })
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
