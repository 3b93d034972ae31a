//! One case in the real runtime: what the gateway does with a plugin on a route of its own, and what is seen of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use portcullis_exchange::{Caller, Exchange, Outcome, Refusal, RefusalReason, Reply, ResponseHead};
use portcullis_proxy::Refusal as Refused;
use portcullis_runtime::{CallError, Figures, Kind, Post, Slot};
use serde_json::Value as Json;

use crate::case::Decision;
use crate::scene::Scene;
use crate::script::Script;

/// What came of a case, in the words that a case expects it in.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) decision: Decision,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: Option<String>,
    pub(super) because: Option<String>,
    pub(super) status: Option<StatusCode>,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) caller: Option<Caller>,
    pub(super) members: Vec<(String, Json)>,
    /// Calls that the case does not know, and calls that did not come.
    pub(super) unexpected: Vec<String>,
    pub(super) missed: Vec<String>,
    pub(super) cost: Cost,
}

/// What the calls of one play took.
#[derive(Default, Clone, Copy)]
pub(super) struct Cost {
    pub(super) calls: u64,
    pub(super) figures: Figures,
}

/// What a plugin decided.
enum Decided {
    Next,
    Respond,
    Caller(Caller),
    Permit,
}

/// Plays a case once.
pub(super) async fn play(post: &Post, scene: &Scene) -> Seen {
    let mut x = scene.exchange();
    let script = Arc::new(Script::new(&scene.calls));
    x.outbound = Some(script.clone());
    let before = post.bill().figures();
    let decided = enter(post, scene, &mut x).await;
    let cost = Cost::between(&before, &post.bill().figures());
    let (unexpected, missed) = script.ended();
    let seen = match decided {
        Ok(decided) => Seen::decided(decided, x),
        Err(error) => Seen::refused(post.name(), error),
    };
    Seen {
        unexpected,
        missed,
        cost,
        ..seen
    }
}

/// Plays a case for its cost alone.
pub(super) async fn rehearse(post: &Post, scene: &Scene) {
    let mut x = scene.exchange();
    if !scene.calls.is_empty() {
        x.outbound = Some(Arc::new(Script::new(&scene.calls)));
    }
    // How it ends was looked at before.
    let _ = enter(post, scene, &mut x).await;
}

async fn enter(post: &Post, scene: &Scene, x: &mut Exchange) -> Result<Decided, CallError> {
    match post.kind() {
        Kind::Authenticator => post.authenticate(x).await.map(Decided::Caller),
        Kind::Authorizer => {
            let nobody = || CallError::Invalid("there is no caller".into());
            let caller = scene.caller.as_ref().ok_or_else(nobody)?;
            post.authorize(x, caller).await.map(|()| Decided::Permit)
        }
        Kind::Handler => {
            if post.body_limit() > 0 {
                x.request_body = Some(within(post, &scene.body)?);
            }
            let reply = post.handle(x).await?;
            answer(x, reply);
            Ok(Decided::Respond)
        }
        Kind::Filter => filter(post, scene, x).await,
    }
}

/// The phases of a filter, as an exchange goes through them.
async fn filter(post: &Post, scene: &Scene, x: &mut Exchange) -> Result<Decided, CallError> {
    let (phases, mut slot) = (post.phases(), Slot::default());
    let mut replied = phases.request && replies(post.on_request(x, &mut slot).await?, x);
    if !replied && phases.request_body {
        x.request_body = Some(within(post, &scene.body)?);
        replied = replies(post.on_request_body(x, &mut slot).await?, x);
    }
    if !replied {
        let Some((head, body)) = scene.response.clone() else {
            x.request_body.get_or_insert(scene.body.clone());
            return Ok(Decided::Next);
        };
        (x.response, x.response_body) = (Some(head), Some(body));
    }
    // Where no phase wants the body it goes by, and on_response does not see it.
    let mut body = x.response_body.take();
    if phases.response_body {
        x.response_body = body.take();
    }
    let mut replaced = phases.response && replies(post.on_response(x, &mut slot).await?, x);
    if !replaced && phases.response_body {
        let length = x.response_body.as_ref().map_or(0, Bytes::len);
        if length > post.body_limit() {
            let why = format!(
                "a response of {length} bytes, more than its body limit of {}",
                post.body_limit()
            );
            return Err(CallError::Invalid(why));
        }
        replaced = replies(post.on_response_body(x, &mut slot).await?, x);
    }
    if x.response_body.is_none() {
        x.response_body = body;
    }
    Ok(if replied || replaced {
        Decided::Respond
    } else {
        Decided::Next
    })
}

/// Whether the filter answers; its answer is the response then.
fn replies(outcome: Outcome, x: &mut Exchange) -> bool {
    match outcome {
        Outcome::Next => false,
        Outcome::Respond(reply) => {
            answer(x, reply);
            true
        }
    }
}

fn answer(x: &mut Exchange, reply: Reply) {
    let Reply {
        status,
        headers,
        body,
    } = reply;
    (x.response, x.response_body) = (Some(ResponseHead { status, headers }), Some(body));
}

/// A request's body, as far as the gateway buffers it for this plugin.
fn within(post: &Post, body: &Bytes) -> Result<Bytes, CallError> {
    if body.len() <= post.body_limit() {
        return Ok(body.clone());
    }
    Err(CallError::Refused(Box::new(Refusal {
        reason: RefusalReason::TooLarge,
        detail: Some(format!(
            "the body may have at most {} bytes",
            post.body_limit()
        )),
        because: Some("the gateway refuses it before the plugin sees it".into()),
        headers: HeaderMap::new(),
        members: Vec::new(),
    })))
}

// === impl Seen ===

impl Seen {
    fn decided(decided: Decided, x: Exchange) -> Seen {
        let (decision, caller) = match decided {
            Decided::Next => (Decision::Next, None),
            Decided::Respond => (Decision::Respond, None),
            Decided::Permit => (Decision::Permit, None),
            Decided::Caller(caller) => (Decision::Caller, Some(caller)),
        };
        let (status, headers, body) = match x.response {
            Some(head) => (Some(head.status), head.headers, x.response_body),
            None => (None, x.request, x.request_body),
        };
        Seen {
            decision,
            status,
            headers,
            caller,
            body: body.unwrap_or_default(),
            method: Some(x.method.to_string()),
            target: Some(x.target.as_str().to_owned()),
            ..Seen::default()
        }
    }

    /// What the client is answered, as the gateway answers it.
    fn refused(plugin: &str, error: CallError) -> Seen {
        let mut seen = Seen {
            decision: Decision::Fail,
            ..Seen::default()
        };
        match &error {
            CallError::Refused(refusal) => {
                seen.decision = Decision::Refuse;
                seen.reason = RefusalReason::ALL
                    .iter()
                    .find(|(_, r)| *r == refusal.reason)
                    .map(|(name, _)| *name);
                seen.detail = refusal.detail.clone();
                seen.because = refusal.because.clone();
                let member = |(name, text): &(String, String)| {
                    (
                        name.clone(),
                        serde_json::from_str(text).unwrap_or(Json::String(text.clone())),
                    )
                };
                seen.members = refusal.members.iter().map(member).collect();
            }
            failed => seen.because = Some(failed.to_string()),
        }
        let (parts, body) = Refused::from_call(plugin, error)
            .to_response("test")
            .into_parts();
        (seen.status, seen.headers, seen.body) = (Some(parts.status), parts.headers, body);
        seen
    }

    pub(super) fn settings_refused(why: String) -> Seen {
        Seen {
            decision: Decision::SettingsRefused,
            because: Some(why),
            ..Seen::default()
        }
    }
}

// === impl Cost ===

impl Cost {
    /// What was added between two readings of a bill.
    fn between(before: &Figures, after: &Figures) -> Cost {
        Cost {
            calls: after.calls() - before.calls(),
            figures: Figures {
                wall: after.wall.saturating_sub(before.wall),
                cpu: after.cpu.saturating_sub(before.cpu),
                host_calls: after.host_calls - before.host_calls,
                outbound_calls: after.outbound_calls - before.outbound_calls,
                bytes_in: after.bytes_in - before.bytes_in,
                bytes_out: after.bytes_out - before.bytes_out,
                dropped_log_bytes: after.dropped_log_bytes - before.dropped_log_bytes,
                ..*after
            },
        }
    }
}
