//! A serving plugin: the calls that the request's way makes, and where instances come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;

use crate::contract::{identity, outcome, types};
use crate::engine::Runtime;
use crate::error::CallError;
use crate::exchange::{Caller, Exchange, Outcome, Refusal, RefusalReason, Reply};
use crate::host::{checked_headers, final_status, printable};
use crate::instance::{FilterPhase, Live, Pre};
use crate::life::{Digest, Kind, Spec};

/// Kept instances that wait for their next request. More than the workers only matters where guests wait for
/// upstreams.
const KEPT: usize = 64;

/// Which callbacks of a filter are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    pub request: bool,
    pub request_body: bool,
    pub response: bool,
    pub response_body: bool,
}

/// A plugin in service. Dropping the last reference retires it: its code and instances are freed.
pub struct Plugin {
    runtime: Runtime,
    pre: Pre,
    kind: Kind,
    digest: Digest,
    spec: Arc<Spec>,
    imports: Vec<String>,
    phases: Phases,
    body_limit: usize,
    kept: ArrayQueue<Box<Live>>,
    calls: AtomicU64,
    failures: AtomicU64,
}

/// Where a filter's instance waits between the request and the response of one exchange.
#[derive(Default)]
pub struct Slot(Option<Box<Live>>);

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Plugin({} {} {:?})",
            self.kind, self.spec.name, self.digest
        )
    }
}

impl Plugin {
    #[expect(clippy::too_many_arguments, reason = "called once, by the age before")]
    pub(crate) fn new(
        runtime: Runtime,
        pre: Pre,
        kind: Kind,
        digest: Digest,
        spec: Arc<Spec>,
        imports: Vec<String>,
        phases: Phases,
        body_limit: usize,
    ) -> Plugin {
        Plugin {
            runtime,
            pre,
            kind,
            digest,
            spec,
            imports,
            phases,
            body_limit,
            kept: ArrayQueue::new(KEPT),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// WIT names of everything it imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    pub fn phases(&self) -> Phases {
        self.phases
    }

    /// Largest body, in bytes, that its body callbacks take.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Calls so far, and how many of them failed (a refusal is not a failure).
    pub fn counts(&self) -> (u64, u64) {
        (
            self.calls.load(Ordering::Relaxed),
            self.failures.load(Ordering::Relaxed),
        )
    }

    /// Asks who the caller is.
    pub async fn authenticate(&self, x: &mut Exchange) -> Result<Caller, CallError> {
        let mut live = self.obtain(None).await?;
        let answer = live.authenticate(x).await;
        let caller = self.settle(live, answer)?;
        valid_caller(caller)
    }

    /// Asks whether the caller may.
    pub async fn authorize(&self, x: &mut Exchange, caller: &Caller) -> Result<(), CallError> {
        let caller = identity::Caller {
            id: caller.id.to_string(),
            roles: caller.roles.clone(),
            claims: caller.claims.clone(),
        };
        let mut live = self.obtain(None).await?;
        let answer = live.authorize(x, &caller).await;
        self.settle(live, answer)
    }

    /// Answers in the upstream's place.
    pub async fn handle(&self, x: &mut Exchange) -> Result<Reply, CallError> {
        let mut live = self.obtain(None).await?;
        let answer = live.handle(x).await;
        valid_reply(self.settle(live, answer)?)
    }

    pub async fn on_request(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::Request, slot).await
    }

    /// `x.request_body` must hold the body.
    pub async fn on_request_body(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::RequestBody, slot).await
    }

    /// `x.response` must hold the response.
    pub async fn on_response(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::Response, slot).await
    }

    /// `x.response_body` must hold the body.
    pub async fn on_response_body(
        &self,
        x: &mut Exchange,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        self.filter(x, FilterPhase::ResponseBody, slot).await
    }

    async fn filter(
        &self,
        x: &mut Exchange,
        phase: FilterPhase,
        slot: &mut Slot,
    ) -> Result<Outcome, CallError> {
        let mut live = self.obtain(slot.0.take()).await?;
        let answer = live.filter(x, phase).await;
        let verdict = if self.more_after(phase) && !self.spec.kept {
            // A fresh instance belongs to its exchange until the last phase it asked for.
            let verdict = self.judge(answer)?;
            slot.0 = Some(live);
            verdict
        } else {
            self.settle(live, answer)?
        };
        match verdict {
            outcome::Verdict::Next => Ok(Outcome::Next),
            outcome::Verdict::Respond(reply) => Ok(Outcome::Respond(valid_reply(reply)?)),
        }
    }

    fn more_after(&self, phase: FilterPhase) -> bool {
        let p = self.phases;
        match phase {
            FilterPhase::Request => p.request_body || p.response || p.response_body,
            FilterPhase::RequestBody => p.response || p.response_body,
            FilterPhase::Response => p.response_body,
            FilterPhase::ResponseBody => false,
        }
    }

    async fn obtain(&self, held: Option<Box<Live>>) -> Result<Box<Live>, CallError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let ready = held.or_else(|| {
            if self.spec.kept {
                self.kept.pop()
            } else {
                None
            }
        });
        if let Some(live) = ready {
            return Ok(live);
        }
        let time = self.spec.time.max(Duration::from_millis(100));
        match Live::start(&self.runtime, &self.pre, &self.spec, time).await {
            Ok((live, _)) => Ok(Box::new(live)),
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Ends a call: an instance that returned may serve again where it is kept; any other is dropped here.
    fn settle<T>(
        &self,
        live: Box<Live>,
        answer: Result<Result<T, outcome::Fault>, CallError>,
    ) -> Result<T, CallError> {
        if self.spec.kept && answer.is_ok() {
            // Full: enough instances wait already, this one goes.
            drop(self.kept.push(live));
        }
        self.judge(answer)
    }

    fn judge<T>(
        &self,
        answer: Result<Result<T, outcome::Fault>, CallError>,
    ) -> Result<T, CallError> {
        let error = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(outcome::Fault::Refuse(refusal))) => match valid_refusal(refusal) {
                Ok(refusal) => return Err(CallError::Refused(Box::new(refusal))),
                Err(error) => error,
            },
            Ok(Err(outcome::Fault::Failed(text))) => CallError::Failed(printable(&text, 500)),
            Err(error) => error,
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }
}

impl From<types::Phases> for Phases {
    fn from(flags: types::Phases) -> Phases {
        Phases {
            request: flags.contains(types::Phases::REQUEST),
            request_body: flags.contains(types::Phases::REQUEST_BODY),
            response: flags.contains(types::Phases::RESPONSE),
            response_body: flags.contains(types::Phases::RESPONSE_BODY),
        }
    }
}

fn valid_caller(caller: identity::Caller) -> Result<Caller, CallError> {
    if caller.id.is_empty() || caller.id.len() > 256 || caller.id.chars().any(char::is_control) {
        return Err(CallError::Invalid(
            "a caller id must have 1 to 256 printable characters".into(),
        ));
    }
    if caller.roles.len() > 64 || caller.claims.len() > 64 {
        return Err(CallError::Invalid(
            "a caller has at most 64 roles and 64 claims".into(),
        ));
    }
    Ok(Caller {
        id: caller.id.into(),
        roles: caller.roles,
        claims: caller.claims,
    })
}

fn valid_reply(reply: outcome::Reply) -> Result<Reply, CallError> {
    let status = final_status(reply.status)
        .ok_or_else(|| CallError::Invalid(format!("{} is not a final status", reply.status)))?;
    let headers = checked_headers(reply.fields).map_err(CallError::Invalid)?;
    Ok(Reply {
        status,
        headers,
        body: Bytes::from(reply.body),
    })
}

fn valid_refusal(refusal: outcome::Refusal) -> Result<Refusal, CallError> {
    let reason = RefusalReason::named(&refusal.reason).ok_or_else(|| {
        CallError::Invalid(format!(
            "no refusal is named `{}`",
            printable(&refusal.reason, 64)
        ))
    })?;
    let headers = checked_headers(refusal.fields).map_err(CallError::Invalid)?;
    Ok(Refusal {
        reason,
        detail: refusal.detail.map(|text| printable(&text, 1000)),
        because: refusal.because.map(|text| printable(&text, 1000)),
        headers,
        members: refusal.members.into_iter().take(16).collect(),
    })
}
