//! `upstream` of the contract: calls to granted upstreams.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use portcullis_exchange::{Call, Outbound, OutboundError, Target};
use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use crate::guest::checked::{checked_headers, usable_method};
use crate::guest::contract::upstream;
use crate::guest::contract::upstream::{Answer, CallError};
use crate::guest::exchange::fields;
use crate::guest::resources::{CallResult, Pending};
use crate::guest::session::Session;

/// Calls in one `send-all`.
const MAX_FAN_OUT: usize = 32;
/// Largest answer body where the plugin names none, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

type Answered = Result<Answer, CallError>;

impl upstream::Host for Session {
    async fn send(&mut self, call: upstream::Call) -> Result<Answered> {
        self.count()?;
        match self.begin_call(call)? {
            Ok(pending) => self.hand_over(pending.result().await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn send_all(&mut self, calls: Vec<upstream::Call>) -> Result<Vec<Answered>> {
        self.count()?;
        if calls.len() > MAX_FAN_OUT {
            return Ok(calls.iter().map(|_| Err(CallError::Budget)).collect());
        }
        let mut begun = Vec::with_capacity(calls.len());
        for call in calls {
            begun.push(self.begin_call(call)?);
        }
        let mut answers = Vec::with_capacity(begun.len());
        for pending in begun {
            answers.push(match pending {
                Ok(pending) => self.hand_over(pending.result().await)?,
                Err(error) => Err(error),
            });
        }
        Ok(answers)
    }

    async fn start(
        &mut self,
        call: upstream::Call,
    ) -> Result<Result<Resource<Pending>, CallError>> {
        self.count()?;
        Ok(match self.begin_call(call)? {
            Ok(pending) => Ok(self.table.push(pending)?),
            Err(error) => Err(error),
        })
    }

    async fn next(&mut self, pending: Vec<Resource<Pending>>) -> Result<u32> {
        self.count()?;
        if pending.is_empty() {
            bail!("it waited for no call at all");
        }
        let table = &mut self.table;
        poll_fn(|cx| {
            for (index, handle) in (0..).zip(&pending) {
                let pending = match table.get_mut(handle) {
                    Ok(pending) => pending,
                    Err(error) => return Poll::Ready(Err(error.into())),
                };
                if pending.poll(cx).is_ready() {
                    return Poll::Ready(Ok(index));
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl upstream::HostPending for Session {
    async fn take(&mut self, pending: Resource<Pending>) -> Result<Answered> {
        self.count()?;
        let pending = self.table.delete(pending)?;
        self.hand_over(pending.result().await)
    }

    async fn drop(&mut self, pending: Resource<Pending>) -> Result<()> {
        self.table.delete(pending)?;
        Ok(())
    }
}

impl Session {
    /// An answer crosses into the guest: its bytes count.
    fn hand_over(&mut self, result: Option<CallResult>) -> Result<Answered> {
        let answer = match result {
            Some(result) => result.map(plain_answer).map_err(plain_error),
            None => Err(CallError::Cancelled),
        };
        if let Ok(answer) = &answer {
            self.copy_in(answer.body.len())?;
        }
        Ok(answer)
    }

    fn begin_call(&mut self, call: upstream::Call) -> Result<Result<Pending, CallError>> {
        self.copy_out(call.body.len())?;
        let checked = self.checked_call(call);
        Ok(checked.map(|(outbound, call)| Pending::begin(outbound, call)))
    }

    fn checked_call(
        &mut self,
        call: upstream::Call,
    ) -> Result<(Arc<dyn Outbound>, Call), CallError> {
        use CallError as E;
        let target = Target::parse(&call.path_and_query);
        let target = target.map_err(|e| E::Invalid(e.to_string()))?;
        let method = usable_method(&call.method).ok_or_else(|| E::Invalid("the method".into()))?;
        let headers = checked_headers(call.fields).map_err(E::Invalid)?;
        let mut request = Request::new(Bytes::from(call.body));
        *request.method_mut() = method;
        *request.uri_mut() = target.to_path_and_query().into();
        *request.headers_mut() = headers;
        let timeout = match call.timeout_ms {
            0 => Duration::MAX,
            ms => Duration::from_millis(ms.into()),
        };
        let max_response = match call.max_response {
            0 => MAX_ANSWER,
            n => n as usize,
        };
        self.granted_call(&call.upstream, request, timeout, max_response)
    }

    /// The one gate of every outbound call: upstream, method and path are granted and the budget has room.
    fn granted_call(
        &mut self,
        upstream: &str,
        request: Request<Bytes>,
        timeout: Duration,
        max_response: usize,
    ) -> Result<(Arc<dyn Outbound>, Call), CallError> {
        let grants = &self.spec.grants;
        if !grants.allow(upstream, request.method(), request.uri().path()) {
            return Err(CallError::NotGranted);
        }
        let outbound = self.exchange.outbound.clone();
        let outbound = outbound
            .filter(|_| self.configured)
            .ok_or_else(|| CallError::Other("no upstreams while configuring".into()))?;
        if !self.exchange.spend_call(&self.spec.name, grants.calls) {
            return Err(CallError::Budget);
        }
        self.meter.outbound_calls += 1;
        let call = Call {
            upstream: upstream.to_owned(),
            request,
            timeout: timeout.min(self.remaining()),
            max_response: max_response.min(self.spec.budget.memory),
        };
        Ok((outbound, call))
    }
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
