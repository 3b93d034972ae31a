//! From the words of a case to the types of the runtime: an exchange, a response, answers of upstreams. What cannot
//! be said in HTTP is a mistake of the case, reported before anything runs.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use portcullis_exchange::{Caller, Exchange, OutboundError, ResponseHead, Target};
use portcullis_runtime::Kind;
use serde_json::Value as Json;
use toml::Value;
use toml::value::Datetime;

use crate::case::{self, Case, NoAnswer, Words};

/// A case, ready to be played as often as one likes.
pub(super) struct Scene {
    method: Method,
    target: Target,
    headers: HeaderMap,
    host: String,
    pub(super) body: Bytes,
    pub(super) response: Option<(ResponseHead, Bytes)>,
    pub(super) caller: Option<Caller>,
    params: Vec<(std::sync::Arc<str>, String)>,
    client_ip: std::net::IpAddr,
    now_ms: u64,
    pub(super) times: u32,
    pub(super) calls: Vec<Call>,
}

/// A call to an upstream that is expected, and what comes of it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) expect: case::ExpectCall,
    pub(super) answer: Result<http::Response<Bytes>, OutboundError>,
    pub(super) delay: Duration,
}

/// 2026-01-01T00:00:00Z, where a case does not say when it is.
const NOW: u64 = 1_767_225_600;

type Said<T> = Result<T, String>;

impl Scene {
    /// The mistake is a sentence about the case.
    pub(super) fn of(case: &Case, kind: Kind) -> Said<Scene> {
        let request = &case.request;
        if request.status.is_some() {
            return Err("request.status: only a response has a status".into());
        }
        if kind == Kind::Authorizer && case.caller.is_none() {
            return Err("caller is missing: an authorizer is asked about one, such as caller = { id = \"42\" }".into());
        }
        if kind != Kind::Filter && case.response.is_some() {
            return Err(format!("response: a {kind} sees no response"));
        }
        let method = request.method.as_deref().unwrap_or("GET");
        let path = request.path.as_deref().unwrap_or("/");
        let (headers, body) = message(
            &request.headers,
            request.body.as_deref(),
            request.json.as_ref(),
        )
        .map_err(|why| format!("request.{why}"))?;
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or("localhost")
            .to_owned();
        Ok(Scene {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("request.method: {method:?} is none"))?,
            target: Target::parse(path).map_err(|why| format!("request.path: {why}"))?,
            headers,
            host,
            body,
            response: case.response.as_ref().map(response).transpose()?,
            caller: case.caller.as_ref().map(caller),
            params: case
                .params
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.clone()))
                .collect(),
            client_ip: case
                .client_ip
                .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into()),
            now_ms: case.now.as_ref().map_or(Ok(NOW), seconds)? * 1000,
            times: case.times.max(1),
            calls: case.upstream.iter().map(Call::of).collect::<Said<_>>()?,
        })
    }

    /// The exchange as a plugin gets it.
    pub(super) fn exchange(&self) -> Exchange {
        Exchange {
            method: self.method.clone(),
            target: self.target.clone(),
            request: self.headers.clone(),
            caller: self.caller.clone(),
            request_id: "test".into(),
            route: "test".into(),
            host: self.host.as_str().into(),
            scheme: "http",
            client_ip: Some(self.client_ip),
            params: self.params.clone(),
            now_ms: self.now_ms,
            ..Exchange::default()
        }
    }
}

fn caller(said: &case::Caller) -> Caller {
    Caller {
        id: said.id.as_str().into(),
        roles: said.roles.clone(),
        claims: said.claims.clone().into_iter().collect(),
    }
}

fn response(said: &case::Message) -> Said<(ResponseHead, Bytes)> {
    if said.method.is_some() || said.path.is_some() {
        return Err("response: only a request has a method and a path".into());
    }
    let status = status(said.status).map_err(|why| format!("response.{why}"))?;
    let (headers, body) = message(&said.headers, said.body.as_deref(), said.json.as_ref())
        .map_err(|why| format!("response.{why}"))?;
    Ok((ResponseHead { status, headers }, body))
}

fn status(code: Option<u16>) -> Said<StatusCode> {
    let code = code.unwrap_or(200);
    StatusCode::from_u16(code).map_err(|_| format!("status: {code} is none"))
}

/// Headers and body; JSON brings its content type where none is named.
fn message(
    named: &BTreeMap<String, Words>,
    body: Option<&str>,
    json: Option<&Json>,
) -> Said<(HeaderMap, Bytes)> {
    let mut headers = HeaderMap::new();
    for (name, words) in named {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("headers: {name:?} is no name"))?;
        for word in words.all() {
            let value = HeaderValue::from_bytes(word.as_bytes())
                .map_err(|_| format!("headers.{name}: {word:?} has what no header can hold"))?;
            headers.append(parsed.clone(), value);
        }
    }
    let body = match (body, json) {
        (Some(_), Some(_)) => return Err("body and json: one of them is the body".into()),
        (Some(text), None) => Bytes::copy_from_slice(text.as_bytes()),
        (None, Some(json)) => {
            let plain = HeaderValue::from_static("application/json");
            headers.entry(CONTENT_TYPE).or_insert(plain);
            Bytes::from(json.to_string())
        }
        (None, None) => Bytes::new(),
    };
    Ok((headers, body))
}

impl Call {
    fn of(said: &case::Upstream) -> Said<Call> {
        let case::Upstream { expect, answer } = said;
        let delay = answer
            .delay
            .as_deref()
            .map_or(Ok(Duration::ZERO), duration)?;
        let answer = match answer.error {
            Some(NoAnswer::Timeout) => Err(OutboundError::Timeout),
            Some(NoAnswer::Connect) => Err(OutboundError::Connect("the case says so".into())),
            Some(NoAnswer::Closed) => Err(OutboundError::Other("the connection closed".into())),
            None => {
                let prefix = |why| format!("upstream.answer.{why}");
                let mut response = http::Response::default();
                *response.status_mut() = status(answer.status).map_err(prefix)?;
                let (headers, body) = message(
                    &answer.headers,
                    answer.body.as_deref(),
                    answer.json.as_ref(),
                )
                .map_err(prefix)?;
                *response.headers_mut() = headers;
                Ok(response.map(|()| body))
            }
        };
        Ok(Call {
            expect: expect.clone(),
            answer,
            delay,
        })
    }
}

fn duration(text: &str) -> Said<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let parsed = match (number.parse(), unit) {
        (Ok(number), "ms") => Some(Duration::from_millis(number)),
        (Ok(number), "s") => Some(Duration::from_secs(number)),
        _ => None,
    };
    parsed
        .ok_or_else(|| format!("upstream.answer.delay: {text:?} is none; write \"20ms\" or \"1s\""))
}

fn seconds(now: &Value) -> Said<u64> {
    let seconds = match now {
        Value::Integer(seconds) => Some(*seconds),
        Value::Datetime(date) => unix(date),
        _ => None,
    };
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .ok_or_else(|| {
            "now: write seconds since 1970, or a date such as 2026-01-31T12:00:00Z".into()
        })
}

/// Seconds since 1970 of a date with time and offset. Days are counted in years that begin in March, so that the
/// leap day is the last.
fn unix(date: &Datetime) -> Option<i64> {
    let (day, time) = (date.date?, date.time?);
    let offset = match date.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let (month, year) = match i64::from(day.month) {
        month @ ..=2 => (month + 9, i64::from(day.year) - 1),
        month => (month - 3, i64::from(day.year)),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + i64::from(day.day) - 1 - 719_468;
    let minutes = i64::from(time.hour) * 60 + i64::from(time.minute) - offset;
    Some(days * 86_400 + minutes * 60 + i64::from(time.second.unwrap_or(0)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_seconds_since_1970() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:30:15Z", 951_827_415),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2026-03-01T01:00:00+01:00", 1_772_323_200),
            ("2100-12-31T23:59:59Z", 4_133_980_799),
        ] {
            assert_eq!(unix(&text.parse().unwrap()), Some(wanted), "{text}");
        }
        assert_eq!(
            unix(&"2026-01-01".parse().unwrap()),
            None,
            "a day is no moment"
        );
    }

    #[test]
    fn a_delay_has_a_unit() {
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert!(duration("20").is_err() && duration("ms").is_err());
    }
}
