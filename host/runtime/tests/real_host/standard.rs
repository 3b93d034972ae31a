//! A `wasi:http/proxy` component as a handler: unmodified, and within its grants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use portcullis_exchange::{Call, Exchange, Outbound, OutboundError, OutboundFuture, Reply, Target};
use portcullis_runtime::{CallError, PathGrant, Post, Spec, UpstreamGrant};

use crate::{load, spec};

/// Upstreams that repeat what they were asked, and remember it.
#[derive(Default)]
struct Repeats(Mutex<Vec<String>>);

impl Repeats {
    fn seen(&self) -> Vec<String> {
        self.0.lock().expect("no panic under this lock").clone()
    }
}

impl Outbound for Repeats {
    fn call(&self, call: Call) -> OutboundFuture {
        let (method, uri) = (call.request.method(), call.request.uri());
        let line = format!("{} {method} {uri}", call.upstream);
        assert!(!call.request.headers().contains_key("host"), "{line}");
        let mut seen = self.0.lock().expect("no panic under this lock");
        seen.push(line.clone());
        let (limit, path) = (call.max_response, uri.path().to_owned());
        Box::pin(async move {
            match path.as_str() {
                "/silent" => std::future::pending().await,
                "/away" => Err(OutboundError::Connect("nobody".into())),
                "/large" if limit < 600_000 => Err(OutboundError::TooLarge),
                "/large" => Ok(Response::new(Bytes::from(vec![b'x'; 600_000]))),
                _ => Ok(Response::new(line.into())),
            }
        })
    }
}

fn granted() -> Spec {
    let mut spec = spec("{}");
    spec.grants.calls = 3;
    spec.grants.upstreams = vec![
        UpstreamGrant {
            name: "users".into(),
            methods: vec![Method::GET],
            paths: vec![PathGrant("/users/**".into())],
        },
        UpstreamGrant {
            name: "raids".into(),
            methods: Vec::new(),
            paths: Vec::new(),
        },
    ];
    spec
}

async fn standard(spec: Spec) -> Arc<Post> {
    load("standard.wasm", spec).await.expect("it loads")
}

async fn asked(post: &Post, target: &str) -> (Result<Reply, CallError>, Vec<String>) {
    let upstreams = Arc::new(Repeats::default());
    let mut x = Exchange {
        target: Target::parse(target).expect("a target"),
        outbound: Some(upstreams.clone()),
        ..Exchange::default()
    };
    let answer = post.handle(&mut x).await;
    (answer, upstreams.seen())
}

/// What the guest says of a fetch, and what reached the upstreams.
async fn fetched(post: &Post, to: &str) -> (String, Vec<String>) {
    let (answer, seen) = asked(post, &format!("/fetch?{to}")).await;
    let reply = answer.unwrap_or_else(|error| panic!("{to}: {error}"));
    (String::from_utf8(reply.body.to_vec()).expect("text"), seen)
}

#[tokio::test]
async fn a_standard_guest_sees_the_request_and_answers_it() {
    let post = standard(granted()).await;
    let mut headers = HeaderMap::new();
    headers.insert("x-name", HeaderValue::from_static("ann"));
    let mut x = Exchange {
        method: Method::POST,
        target: Target::parse("/hello?a=1").expect("a target"),
        request: headers,
        request_body: Some("the body".into()),
        host: "gate.test".into(),
        scheme: "http",
        ..Exchange::default()
    };
    let reply = post.handle(&mut x).await.expect("it answers");
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["x-standard"], "yes");
    assert_eq!(
        reply.body,
        "POST /hello?a=1\nx-name: ann\nthe body".as_bytes()
    );
    assert_eq!(x.request["x-name"], "ann", "the exchange came back");
}

#[tokio::test]
async fn a_large_answer_comes_whole_or_is_an_error() {
    let reply = asked(&*standard(granted()).await, "/stream").await.0;
    let body = reply.expect("it answers").body;
    assert_eq!(body.len(), 3 << 20);
    assert!(body.iter().all(|byte| *byte == b'x'));
    let mut small = granted();
    small.budget.bytes_out = 1 << 20;
    let cut = asked(&*standard(small).await, "/stream").await.0;
    assert!(
        matches!(cut, Err(CallError::Failed(_) | CallError::Trapped(_))),
        "{cut:?}"
    );
}

#[tokio::test]
async fn a_fetch_reaches_the_upstream_that_the_host_names() {
    let post = standard(granted()).await;
    for (to, sent) in [
        ("to=http://users/users/7", "users GET /users/7"),
        ("to=https://users/users/7?a=1", "users GET /users/7?a=1"),
        ("to=http://users/users/x/../7", "users GET /users/7"),
        ("method=DELETE&to=http://raids/1", "raids DELETE /1"),
    ] {
        let (said, seen) = fetched(&post, to).await;
        assert_eq!(
            (said, seen),
            (format!("200 {sent}"), vec![sent.into()]),
            "{to}"
        );
    }
    let (said, _) = fetched(&post, "to=http://raids/away").await;
    assert!(said.contains("DestinationUnavailable"), "{said}");
    assert_eq!(post.bill().figures().outbound_calls, 5);
}

#[tokio::test]
async fn a_fetch_beyond_the_grants_is_denied_and_reaches_nobody() {
    let post = standard(granted()).await;
    for to in [
        "to=http://secrets/users/7",
        "to=http://example.com/",
        "to=http://127.0.0.1:9/",
        "to=http://users:9/users/7",
        "to=http://me@users/users/7",
        "to=http://users.example.com/users/7",
        "to=http://USERS/users/7",
        "method=DELETE&to=http://users/users/7",
        "method=CONNECT&to=http://raids/1",
        "method=TRACE&to=http://raids/1",
        "to=http://users/admin",
        "to=http://users/users/../admin",
        "to=http://users/users/%2e%2e/admin",
        "to=http://users/users/..%2fadmin",
    ] {
        let (said, seen) = fetched(&post, to).await;
        assert_eq!(seen, Vec::<String>::new(), "{to}");
        assert!(!said.starts_with("200"), "{to}: {said}");
        let parsed = !said.contains("HttpRequestUriInvalid");
        assert!(
            !parsed || said.contains("HttpRequestDenied"),
            "{to}: {said}"
        );
    }
    assert_eq!(post.bill().figures().outbound_calls, 0);
}

#[tokio::test]
async fn calls_and_their_bytes_have_a_budget() {
    let post = standard(granted()).await;
    let (said, seen) = fetched(&post, "times=10&to=http://raids/1").await;
    assert_eq!(seen.len(), 3, "as many as are granted");
    assert!(said.contains("HttpRequestDenied"), "{said}");
    let mut small = granted();
    small.budget.bytes_in = 1 << 20;
    let post = standard(small).await;
    let (said, seen) = fetched(&post, "times=2&to=http://raids/large").await;
    assert_eq!(seen.len(), 2);
    assert!(said.contains("HttpResponseBodySize"), "{said}");
    assert!(post.bill().figures().bytes_in >= 600_000);
}

#[tokio::test]
async fn every_function_of_wasi_counts_as_a_call_of_the_host() {
    let post = standard(granted()).await;
    let (answer, _) = asked(&post, "/hello").await;
    assert!(answer.is_ok(), "{answer:?}");
    let calls = post.bill().figures().host_calls;
    assert!(calls >= 6, "it asked for method, headers and body: {calls}");
    for target in ["/waste?100000", "/scream?100000"] {
        let (answer, _) = asked(&post, target).await;
        let said = answer.map(drop).expect_err(target).to_string();
        assert!(
            said.contains("it called the host more than 1000 times"),
            "{target}: {said}"
        );
    }
    let (answer, _) = asked(&post, "/waste?400").await;
    assert!(answer.is_ok(), "within its budget: {answer:?}");
}

#[tokio::test]
async fn what_a_guest_prints_has_one_room_per_call_and_is_charged_to_its_log() {
    for granted_bytes in [0, 1000, 1 << 20] {
        let mut spec = granted();
        spec.grants.log = granted_bytes;
        let post = standard(spec).await;
        for _ in 0..2 {
            let before = post.bill().figures();
            let (answer, _) = asked(&post, "/scream?100").await;
            assert!(answer.is_ok(), "{answer:?}");
            let after = post.bill().figures();
            let printed = 100 * 4000;
            let shown = u64::from(granted_bytes).min(4096);
            let left_out = after.dropped_log_bytes - before.dropped_log_bytes;
            assert_eq!(left_out, printed - shown, "{granted_bytes} are granted");
            assert!(after.bytes_out - before.bytes_out >= printed);
            assert!(after.host_calls - before.host_calls >= 200);
        }
    }
}

#[tokio::test]
async fn grants_and_settings_are_checked_at_load() {
    let said = load("standard.wasm", spec("{}"))
        .await
        .expect_err("no grants")
        .to_string();
    assert!(
        said.contains("wasi:http/outgoing-handler@0.2.") && said.contains("grants = { upstreams"),
        "{said}"
    );
    let mut with_settings = granted();
    with_settings.settings.0 = r#"{"a": 1}"#.into();
    let said = load("standard.wasm", with_settings)
        .await
        .expect_err("settings")
        .to_string();
    assert!(said.contains("takes no settings"), "{said}");
}

#[tokio::test]
async fn a_guest_that_does_not_answer_is_an_error_and_leaves_nothing() {
    for kept in [false, true] {
        let mut spec = granted();
        spec.kept = kept;
        spec.budget.time = Duration::from_millis(200);
        spec.budget.cpu = Duration::from_millis(200);
        let post = standard(spec).await;
        for (target, text) in [
            ("/never", "its response"),
            ("/half", "its response body"),
            ("/leak", "before its response body was finished"),
            ("/error", "ConfigurationError"),
            ("/trap", "trapped"),
            ("/loop", "ran longer than its 200ms"),
            ("/fetch?to=http://raids/silent", "ran longer than its 200ms"),
        ] {
            let (answer, _) = asked(&post, target).await;
            let said = answer.map(drop).expect_err(target).to_string();
            assert!(said.contains(text), "{target}: {said}");
            let (next, _) = asked(&post, "/hello").await;
            assert!(next.is_ok(), "after {target}: {next:?}");
        }
        let bill = post.bill().clone();
        drop(post);
        assert_eq!(bill.figures().live, 0, "no instance outlives its post");
    }
}
