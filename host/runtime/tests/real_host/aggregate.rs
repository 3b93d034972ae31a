//! aggregate as a component, in front of upstreams that take their time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode};
use portcullis_exchange::{Call, Caller, Exchange, Outbound, OutboundError, OutboundFuture, Reply};
use portcullis_runtime::{CallError, Spec, UpstreamGrant};
use serde_json::{Value, json};

use crate::{load, spec};

/// Upstreams by name: how long each takes, and what it answers.
#[derive(Default)]
struct Slow {
    answers: Vec<(&'static str, Duration, Value)>,
    /// "+users /path" when a call came, "-users" when it was answered.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Slow {
    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic under this lock").clone()
    }

    /// What one call after the other would take.
    fn sum(&self) -> Duration {
        self.answers.iter().map(|(_, time, _)| *time).sum()
    }
}

impl Outbound for Slow {
    fn call(&self, call: Call) -> OutboundFuture {
        let seen = self.seen.clone();
        let note = move |text: String| seen.lock().expect("no panic").push(text);
        note(format!("+{} {}", call.upstream, call.request.uri()));
        let known = self
            .answers
            .iter()
            .find(|(name, ..)| *name == call.upstream);
        let (_, time, answer) = known.cloned().expect("it is one of them");
        let timeout = call.timeout;
        Box::pin(async move {
            if time > timeout {
                tokio::time::sleep(timeout).await;
                return Err(OutboundError::Timeout);
            }
            tokio::time::sleep(time).await;
            note(format!("-{}", call.upstream));
            let mut response = Response::new(Bytes::from(answer.to_string()));
            if answer.is_null() {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            Ok(response)
        })
    }
}

fn given(settings: &Value) -> Spec {
    let mut spec = spec(&settings.to_string());
    let grant = |name: &str| UpstreamGrant {
        name: name.into(),
        methods: Vec::new(),
        paths: Vec::new(),
    };
    spec.grants.upstreams = ["users", "raids", "mentions", "friends"].map(grant).into();
    spec.grants.calls = 16;
    spec.budget.time = Duration::from_secs(20);
    spec
}

async fn asked(settings: &Value, upstreams: Arc<Slow>) -> (Result<Reply, CallError>, Duration) {
    let post = load("aggregate.wasm", given(settings))
        .await
        .expect("it loads");
    let mut x = Exchange {
        caller: Some(Caller {
            id: "7".into(),
            roles: Vec::new(),
            claims: Vec::new(),
        }),
        outbound: Some(upstreams),
        ..Exchange::default()
    };
    let began = Instant::now();
    let answer = post.handle(&mut x).await;
    (answer, began.elapsed())
}

fn page(answer: Result<Reply, CallError>) -> Value {
    let reply = answer.expect("it answers");
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[tokio::test]
async fn an_aggregate_takes_about_as_long_as_its_slowest_chain() {
    let ms = Duration::from_millis;
    let upstreams = Arc::new(Slow {
        answers: vec![
            ("users", ms(300), json!({ "handle": "ann" })),
            ("raids", ms(1200), json!([1])),
            ("mentions", ms(1200), json!([])),
            ("friends", ms(400), json!(["bob"])),
        ],
        ..Slow::default()
    });
    let settings = json!({ "calls": {
        "user": { "upstream": "users", "path": "/users/{caller.id}" },
        "raids": { "upstream": "raids", "path": "/raids" },
        "mentions": { "upstream": "mentions", "path": "/mentions" },
        "friends": { "upstream": "friends", "path": "/friends/{user.handle}" },
    }});
    let (answer, took) = asked(&settings, upstreams.clone()).await;
    assert_eq!(
        page(answer),
        json!({ "user": { "handle": "ann" }, "raids": [1], "mentions": [], "friends": ["bob"] })
    );
    let seen = upstreams.seen();
    let at = |text: &str| seen.iter().position(|line| line == text).expect(text);
    // Three begin before any is answered; the one that needs another's answer begins with it, not with the last.
    for first in ["+users /users/7", "+raids /raids", "+mentions /mentions"] {
        assert!(at(first) < at("-users"), "{seen:?}");
    }
    assert!(at("-users") < at("+friends /friends/ann"), "{seen:?}");
    assert!(at("+friends /friends/ann") < at("-raids"), "{seen:?}");
    // The slowest chain is 1,200 ms, one after the other 3,100 ms: two thirds leave a busy machine its time.
    let sum = upstreams.sum();
    println!("{took:?}, one after the other {sum:?}");
    assert!(took < sum * 2 / 3, "{took:?} of {sum:?}");
}

#[tokio::test]
async fn a_part_that_is_late_is_marked_and_does_not_hold_up_the_rest() {
    let upstreams = Arc::new(Slow {
        answers: vec![
            ("users", Duration::ZERO, json!({ "handle": "ann" })),
            ("mentions", Duration::from_secs(15), json!([])),
            ("raids", Duration::ZERO, Value::Null),
        ],
        ..Slow::default()
    });
    let settings = json!({ "calls": {
        "user": { "upstream": "users", "path": "/users/{caller.id}" },
        "mentions": { "upstream": "mentions", "path": "/mentions", "optional": true, "default": [], "timeout": "100ms" },
        "raids": { "upstream": "raids", "path": "/raids", "optional": true },
    }});
    let (answer, took) = asked(&settings, upstreams).await;
    assert!(took < Duration::from_secs(10), "it waited for the late one");
    let reply = answer.as_ref().expect("it answers");
    assert_eq!(
        reply.headers["x-portcullis-partial"],
        "mentions;reason=timeout, raids;reason=status"
    );
    let page = page(answer);
    assert_eq!(page["mentions"], json!([]));
    assert_eq!(page["raids"], Value::Null);
    assert_eq!(
        page["_partial"],
        json!([{ "part": "mentions", "reason": "timeout" }, { "part": "raids", "reason": "status" }])
    );
}
