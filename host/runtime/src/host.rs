//! What a guest can reach: the exchange it was lent, its log, a clock, granted upstreams. Nothing else.
//!
//! Everything a guest says is text from a stranger: header names and values go through fallible constructors,
//! framing and Host stay the gateway's, and each call is counted against the plugin's budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{StoreLimits, bail};

use crate::contract::exchange::HostExchange;
use crate::contract::types::{Denied, Field};
use crate::contract::{clock, exchange, identity, outcome, telemetry, types, upstream};
use crate::exchange::{Exchange, Side};
use crate::life::Spec;
use crate::outbound::{Call, OutboundError};
use crate::target::Target;

/// The resource type behind `exchange.exchange`. There is one exchange per call, kept in the session, so the
/// handle carries nothing.
#[derive(Debug)]
pub struct Handle;

/// How many headers one message may have after plugins; hyper's map panics past 32,768.
const MAX_HEADERS: usize = 256;
const MAX_HEADER_VALUE: usize = 16 * 1024;
const MAX_VARS: usize = 64;
const MAX_VAR: usize = 64 * 1024;
/// Log lines per call, and bytes per line.
const MAX_LOG_LINES: u32 = 32;
const MAX_LOG_LINE: usize = 1024;
/// Calls in one `send-all`.
const MAX_FAN_OUT: usize = 32;

/// The state of one instance: what the host remembers for its guest.
pub(crate) struct Session {
    pub(crate) table: ResourceTable,
    pub(crate) limits: StoreLimits,
    pub(crate) spec: Arc<Spec>,
    pub(crate) exchange: Exchange,
    pub(crate) writable: Writable,
    pub(crate) started: Instant,
    pub(crate) host_calls: u32,
    /// Ticks of the engine's clock that the guest ran in this call.
    pub(crate) ticks: u32,
    /// Set once the settings were taken; before, the time of configuring bounds the guest.
    pub(crate) configured: bool,
    log_lines: u32,
}

/// What the phase may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writable {
    Nothing,
    /// Authenticators and authorizers: request headers and the query, never the path.
    Query,
    Request,
    Response,
}

impl Session {
    pub(crate) fn new(spec: Arc<Spec>, limits: StoreLimits) -> Session {
        let mut table = ResourceTable::new();
        table.set_max_capacity(1_000);
        Session {
            table,
            limits,
            spec,
            exchange: Exchange::default(),
            writable: Writable::Nothing,
            started: Instant::now(),
            host_calls: 0,
            ticks: 0,
            configured: false,
            log_lines: 0,
        }
    }

    pub(crate) fn begin(&mut self, exchange: Exchange, writable: Writable) {
        self.exchange = exchange;
        self.writable = writable;
        self.started = Instant::now();
        self.host_calls = 0;
        self.ticks = 0;
        self.log_lines = 0;
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.spec.time.saturating_sub(self.started.elapsed())
    }

    fn count(&mut self) -> wasmtime::Result<&mut Exchange> {
        self.host_calls += 1;
        if self.host_calls > self.spec.host_calls {
            bail!(
                "it called the host more than {} times",
                self.spec.host_calls
            );
        }
        Ok(&mut self.exchange)
    }

    fn may_write(&self, side: Side) -> Result<(), Denied> {
        let allowed = match side {
            Side::Request => matches!(self.writable, Writable::Query | Writable::Request),
            Side::Response => self.writable == Writable::Response,
        };
        if allowed {
            Ok(())
        } else {
            Err(Denied::Immutable)
        }
    }

    fn write_header(
        &mut self,
        side: Side,
        name: &str,
        value: Option<Vec<u8>>,
        add: bool,
    ) -> Result<(), Denied> {
        self.may_write(side)?;
        let headers = self.exchange.headers_mut(side).ok_or(Denied::NotReady)?;
        let name = settable_name(name)?;
        let Some(value) = value else {
            headers.remove(name);
            return Ok(());
        };
        if value.len() > MAX_HEADER_VALUE || headers.len() >= MAX_HEADERS {
            return Err(Denied::TooLarge);
        }
        let value =
            HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| Denied::Invalid)?;
        let done = if add {
            headers.try_append(name, value).map(drop)
        } else {
            headers.try_insert(name, value).map(drop)
        };
        done.map_err(|_| Denied::TooLarge)
    }

    pub(crate) fn log(
        &mut self,
        level: telemetry::Level,
        message: &str,
        fields: &[(String, String)],
    ) {
        self.log_lines += 1;
        if self.log_lines > MAX_LOG_LINES {
            if self.log_lines == MAX_LOG_LINES + 1 {
                tracing::warn!(plugin = %self.spec.name, "logs more than {MAX_LOG_LINES} lines in a call; the rest is dropped");
            }
            return;
        }
        let mut line = printable(message, MAX_LOG_LINE);
        for (key, value) in fields.iter().take(16) {
            line.push_str(&format!(
                " {}={}",
                printable(key, 64),
                printable(value, 256)
            ));
        }
        let (plugin, request_id) = (&*self.spec.name, &*self.exchange.request_id);
        match level {
            telemetry::Level::Error => tracing::error!(plugin, request_id, "{line}"),
            telemetry::Level::Warn => tracing::warn!(plugin, request_id, "{line}"),
            telemetry::Level::Info => tracing::info!(plugin, request_id, "{line}"),
            telemetry::Level::Debug => tracing::debug!(plugin, request_id, "{line}"),
            telemetry::Level::Trace => tracing::trace!(plugin, request_id, "{line}"),
        }
    }
}

/// A stranger's text for a log line: no line breaks, no terminal control, bounded.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut out: String = text
        .chars()
        .take(max)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

/// Names that plugins may set: everything but what the gateway owns (RFC 9110 section 7.6.1, framing and Host).
pub(crate) fn settable_name(name: &str) -> Result<HeaderName, Denied> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Denied::Invalid)?;
    let owned = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if owned.contains(&name.as_str()) {
        Err(Denied::Forbidden)
    } else {
        Ok(name)
    }
}

fn side(side: types::Side) -> Side {
    match side {
        types::Side::Request => Side::Request,
        types::Side::Response => Side::Response,
    }
}

fn fields(headers: &HeaderMap) -> Vec<Field> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| Field {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    headers.iter().map(field).collect()
}

type Said<T> = wasmtime::Result<T>;

impl HostExchange for Session {
    fn method(&mut self, _: Resource<Handle>) -> Said<String> {
        Ok(self.count()?.method.as_str().to_owned())
    }

    fn target(&mut self, _: Resource<Handle>) -> Said<String> {
        Ok(self.count()?.target.as_str().to_owned())
    }

    fn set_target(&mut self, _: Resource<Handle>, text: String) -> Said<Result<(), Denied>> {
        let writable = self.writable;
        let exchange = self.count()?;
        let Ok(target) = Target::parse(&text) else {
            return Ok(Err(Denied::Invalid));
        };
        let same_path = target.path() == exchange.target.path();
        if writable == Writable::Request || (writable == Writable::Query && same_path) {
            exchange.target = target;
            return Ok(Ok(()));
        }
        Ok(Err(Denied::Immutable))
    }

    fn attr(&mut self, _: Resource<Handle>, name: String) -> Said<Option<String>> {
        Ok(self.count()?.attr(&name))
    }

    fn header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Said<Option<Vec<u8>>> {
        let headers = self.count()?.headers(side(s));
        Ok(headers
            .and_then(|h| h.get(name.as_str()))
            .map(|v| v.as_bytes().to_vec()))
    }

    fn header_all(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Said<Vec<Vec<u8>>> {
        let headers = self.count()?.headers(side(s));
        Ok(headers
            .map(|h| {
                h.get_all(name.as_str())
                    .iter()
                    .map(|v| v.as_bytes().to_vec())
                    .collect()
            })
            .unwrap_or_default())
    }

    fn headers_named(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        names: Vec<String>,
    ) -> Said<Vec<Option<Vec<u8>>>> {
        let headers = self.count()?.headers(side(s));
        let value = |name: &String| {
            headers
                .and_then(|h| h.get(name.as_str()))
                .map(|v| v.as_bytes().to_vec())
        };
        Ok(names.iter().map(value).collect())
    }

    fn headers(&mut self, _: Resource<Handle>, s: types::Side) -> Said<Vec<Field>> {
        Ok(self
            .count()?
            .headers(side(s))
            .map(fields)
            .unwrap_or_default())
    }

    fn set_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
        value: Vec<u8>,
    ) -> Said<Result<(), Denied>> {
        self.count()?;
        Ok(self.write_header(side(s), &name, Some(value), false))
    }

    fn add_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
        value: Vec<u8>,
    ) -> Said<Result<(), Denied>> {
        self.count()?;
        Ok(self.write_header(side(s), &name, Some(value), true))
    }

    fn remove_header(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        name: String,
    ) -> Said<Result<(), Denied>> {
        self.count()?;
        Ok(self.write_header(side(s), &name, None, false))
    }

    fn status(&mut self, _: Resource<Handle>) -> Said<Option<u16>> {
        Ok(self.count()?.response.as_ref().map(|r| r.status.as_u16()))
    }

    fn set_status(&mut self, _: Resource<Handle>, code: u16) -> Said<Result<(), Denied>> {
        self.count()?;
        if let Err(denied) = self.may_write(Side::Response) {
            return Ok(Err(denied));
        }
        let Some(response) = &mut self.exchange.response else {
            return Ok(Err(Denied::NotReady));
        };
        Ok(final_status(code)
            .map(|status| response.status = status)
            .ok_or(Denied::Invalid))
    }

    fn body_length(&mut self, _: Resource<Handle>, s: types::Side) -> Said<Option<u64>> {
        Ok(self
            .count()?
            .body_mut(side(s))
            .as_ref()
            .map(|b| b.len() as u64))
    }

    fn read_body(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        offset: u64,
        max: u32,
    ) -> Said<Result<Vec<u8>, Denied>> {
        let Some(body) = self.count()?.body_mut(side(s)) else {
            return Ok(Err(Denied::NotReady));
        };
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(body.len());
        let end = start.saturating_add(max as usize).min(body.len());
        Ok(Ok(body[start..end].to_vec()))
    }

    fn replace_body(
        &mut self,
        _: Resource<Handle>,
        s: types::Side,
        body: Vec<u8>,
    ) -> Said<Result<(), Denied>> {
        self.count()?;
        if let Err(denied) = self.may_write(side(s)) {
            return Ok(Err(denied));
        }
        let Some(current) = self.exchange.body_mut(side(s)) else {
            return Ok(Err(Denied::NotReady));
        };
        *current = Bytes::from(body);
        Ok(Ok(()))
    }

    fn get_var(&mut self, _: Resource<Handle>, key: String) -> Said<Option<Vec<u8>>> {
        let vars = &self.count()?.vars;
        Ok(vars.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone()))
    }

    fn set_var(
        &mut self,
        _: Resource<Handle>,
        key: String,
        value: Vec<u8>,
    ) -> Said<Result<(), Denied>> {
        let vars = &mut self.count()?.vars;
        if key.len() > 256 || value.len() > MAX_VAR {
            return Ok(Err(Denied::TooLarge));
        }
        if let Some((_, held)) = vars.iter_mut().find(|(k, _)| *k == key) {
            *held = value;
        } else if vars.len() < MAX_VARS {
            vars.push((key, value));
        } else {
            return Ok(Err(Denied::TooLarge));
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, _: Resource<Handle>) -> Said<()> {
        Ok(())
    }
}

/// 1xx and numbers outside 200–599 are not a plugin's to send.
pub(crate) fn final_status(code: u16) -> Option<StatusCode> {
    StatusCode::from_u16(code)
        .ok()
        .filter(|s| (200..600).contains(&s.as_u16()))
}

impl exchange::Host for Session {}
impl types::Host for Session {}
impl outcome::Host for Session {}
impl identity::Host for Session {}

impl telemetry::Host for Session {
    fn enabled(&mut self, level: telemetry::Level) -> Said<bool> {
        self.count()?;
        Ok(match level {
            telemetry::Level::Error => tracing::enabled!(tracing::Level::ERROR),
            telemetry::Level::Warn => tracing::enabled!(tracing::Level::WARN),
            telemetry::Level::Info => tracing::enabled!(tracing::Level::INFO),
            telemetry::Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
            telemetry::Level::Trace => tracing::enabled!(tracing::Level::TRACE),
        })
    }

    fn log(
        &mut self,
        level: telemetry::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Said<()> {
        self.count()?;
        Session::log(self, level, &message, &fields);
        Ok(())
    }
}

impl clock::Host for Session {
    fn now_ms(&mut self) -> Said<u64> {
        Ok(self.count()?.now_ms)
    }

    fn monotonic_ns(&mut self) -> Said<u64> {
        self.count()?;
        // From the start of the call: enough to measure with, nothing to fingerprint the host with.
        Ok(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn remaining_ms(&mut self) -> Said<u32> {
        self.count()?;
        Ok(u32::try_from(self.remaining().as_millis()).unwrap_or(u32::MAX))
    }
}

impl upstream::Host for Session {
    async fn send(
        &mut self,
        call: upstream::Call,
    ) -> Said<Result<upstream::Answer, upstream::CallError>> {
        let mut answers = self.send_all(vec![call]).await?;
        Ok(answers.pop().unwrap_or(Err(upstream::CallError::Cancelled)))
    }

    async fn send_all(
        &mut self,
        calls: Vec<upstream::Call>,
    ) -> Said<Vec<Result<upstream::Answer, upstream::CallError>>> {
        self.count()?;
        if calls.len() > MAX_FAN_OUT {
            return Ok(calls
                .iter()
                .map(|_| Err(upstream::CallError::Budget))
                .collect());
        }
        // The calls run as one set inside this future: dropping it (a time-out, a client gone) cancels them all.
        let mut running = tokio::task::JoinSet::new();
        let mut answers: Vec<_> = calls
            .iter()
            .map(|_| Err(upstream::CallError::Cancelled))
            .collect();
        for (slot, call) in calls.into_iter().enumerate() {
            match self.check_call(call) {
                Ok((outbound, call)) => {
                    running.spawn(async move { (slot, outbound.call(call).await) });
                }
                Err(error) => answers[slot] = Err(error),
            }
        }
        while let Some(done) = running.join_next().await {
            if let Ok((slot, answer)) = done {
                answers[slot] = answer.map(plain_answer).map_err(plain_error);
            }
        }
        Ok(answers)
    }
}

impl Session {
    fn check_call(
        &self,
        call: upstream::Call,
    ) -> Result<(Arc<dyn crate::Outbound>, Call), upstream::CallError> {
        use upstream::CallError as E;
        if !self
            .spec
            .upstreams
            .iter()
            .any(|granted| **granted == *call.upstream)
        {
            return Err(E::NotGranted);
        }
        let outbound = self
            .exchange
            .outbound
            .clone()
            .ok_or(E::Other("no upstreams while configuring".into()))?;
        let target = Target::parse(&call.path_and_query).map_err(|e| E::Invalid(e.to_string()))?;
        let method = Method::from_bytes(call.method.as_bytes())
            .map_err(|_| E::Invalid("the method".into()))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(E::Invalid("the method".into()));
        }
        let mut request = Request::new(Bytes::from(call.body));
        *request.method_mut() = method;
        *request.uri_mut() = target.to_path_and_query().into();
        *request.headers_mut() = checked_headers(call.fields).map_err(E::Invalid)?;
        let left = self.remaining();
        let timeout = match call.timeout_ms {
            0 => left,
            ms => left.min(Duration::from_millis(ms.into())),
        };
        let max_response = match call.max_response {
            0 => 1024 * 1024,
            n => n as usize,
        };
        Ok((
            outbound,
            Call {
                upstream: call.upstream,
                request,
                timeout,
                max_response: max_response.min(self.spec.memory),
            },
        ))
    }
}

/// Headers that a plugin made, or what is wrong with them.
pub(crate) fn checked_headers(fields: Vec<Field>) -> Result<HeaderMap, String> {
    if fields.len() > MAX_HEADERS {
        return Err(format!("{} headers, more than {MAX_HEADERS}", fields.len()));
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let shown = printable(&field.name, 64);
        let name = settable_name(&field.name).map_err(|denied| match denied {
            Denied::Forbidden => format!("header `{shown}` belongs to the gateway"),
            _ => format!("`{shown}` is not a header name"),
        })?;
        if field.value.len() > MAX_HEADER_VALUE {
            return Err(format!(
                "the value of header `{shown}` is larger than {MAX_HEADER_VALUE} bytes"
            ));
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(field.value))
            .map_err(|_| format!("the value of header `{shown}` has a byte that HTTP forbids"))?;
        headers
            .try_append(name, value)
            .map_err(|_| "too many headers".to_owned())?;
    }
    Ok(headers)
}

fn plain_answer(answer: http::Response<Bytes>) -> upstream::Answer {
    upstream::Answer {
        status: answer.status().as_u16(),
        fields: fields(answer.headers()),
        body: answer.into_body().to_vec(),
    }
}

fn plain_error(error: OutboundError) -> upstream::CallError {
    match error {
        OutboundError::Timeout => upstream::CallError::Timeout,
        OutboundError::Connect(text) => upstream::CallError::Connect(text),
        OutboundError::TooLarge => upstream::CallError::TooLarge,
        OutboundError::Other(text) => upstream::CallError::Other(text),
    }
}
