//! What bounds a guest, shown with one that tries (tests/guests/unruly).

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_exchange::{Exchange, Outcome, ResponseHead};
use portcullis_runtime::{Artifact, Bill, CallError, EngineOptions, Post, Runtime, Slot, Spec};

use crate::{component, load, spec};

async fn unruly(change: impl FnOnce(&mut Spec)) -> Arc<Post> {
    let mut spec = spec("{}");
    spec.budget.time = Duration::from_millis(100);
    spec.budget.cpu = Duration::from_millis(100);
    change(&mut spec);
    load("unruly.wasm", spec).await.expect("it loads")
}

fn exchange(wish: &str) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert("x-do", HeaderValue::from_str(wish).expect("a header value"));
    Exchange {
        request: headers,
        request_id: "r1".into(),
        ..Exchange::default()
    }
}

async fn asked(plugin: &Post, wish: &str) -> (Exchange, Result<Outcome, CallError>) {
    let mut x = exchange(wish);
    let outcome = plugin.on_request(&mut x, &mut Slot::default()).await;
    (x, outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_misbehaves_ends_in_a_bounded_error_and_harms_no_other_call() {
    let plugin = unruly(|_| ()).await;
    let cases = [
        ("loop", "ran longer than its 100ms"),
        ("trap", "trapped"),
        ("recurse", "call stack exhausted"),
        ("hoard", "trapped"),
        ("call the host", "called the host more than 1000 times"),
        ("many headers", "too-large"),
        ("nonsense", "no refusal is named `no such reason`"),
        ("huge reply", "trapped"),
        ("early status", "101 is not a final status"),
    ];
    for (wish, text) in cases {
        let began = Instant::now();
        let (x, outcome) = asked(&plugin, wish).await;
        let said = outcome.map(drop).expect_err(wish).to_string();
        assert!(said.contains(text), "{wish}: {said}");
        assert_eq!(&*x.request_id, "r1", "{wish}: the exchange came back");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{wish}: it ended"
        );
        let (x, next) = asked(&plugin, "count").await;
        assert!(matches!(next, Ok(Outcome::Next)), "after {wish}: {next:?}");
        assert_eq!(x.request["x-count"], "1", "after {wish}");
    }
    for fine in ["inject", "take over", "log"] {
        let (_, outcome) = asked(&plugin, fine).await;
        assert!(matches!(outcome, Ok(Outcome::Next)), "{fine}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_guest_that_loops_leaves_its_thread_to_others_meanwhile() {
    // One thread: without yielding, the second future could only run after the loop was cut.
    let plugin = unruly(|spec| {
        spec.budget.time = Duration::from_secs(2);
        spec.budget.cpu = Duration::from_secs(2);
    })
    .await;
    let began = Instant::now();
    let looping = asked(&plugin, "loop");
    let other = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (_, outcome) = asked(&plugin, "count").await;
        assert!(outcome.is_ok());
        began.elapsed()
    };
    let ((_, looped), other_took) = tokio::join!(looping, other);
    assert!(matches!(looped, Err(CallError::TimedOut(_))));
    assert!(other_took < Duration::from_secs(1), "{other_took:?}");
}

#[tokio::test]
async fn between_two_turns_of_guests_that_loop_others_take_many_steps() {
    let plugin = unruly(|spec| spec.budget.cpu = Duration::from_millis(100)).await;
    let turns = 2 * 50;
    let looping = async { tokio::join!(asked(&plugin, "loop"), asked(&plugin, "loop")) };
    let mut steps = 0_u32;
    let walking = async {
        loop {
            tokio::task::yield_now().await;
            steps += 1;
        }
    };
    tokio::select! {
        ((_, one), (_, two)) = looping => assert!(one.is_err() && two.is_err()),
        () = walking => unreachable!("it goes on for ever"),
    }
    // A request takes several steps; with one for each turn it would wait as many turns.
    assert!(steps > 20 * turns, "{steps} steps in {turns} turns");
}

#[tokio::test]
async fn a_fresh_instance_remembers_nothing_and_a_kept_one_does_until_it_fails() {
    let count = |x: &Exchange| x.request["x-count"].to_str().expect("text").to_owned();
    let fresh = unruly(|_| ()).await;
    let kept = unruly(|spec| spec.kept = true).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push((
            count(&asked(&fresh, "count").await.0),
            count(&asked(&kept, "count").await.0),
        ));
    }
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(seen, [pair("1", "1"), pair("1", "2"), pair("1", "3")]);

    // The poison rule: a trap, a time-out, and a future dropped in the middle.
    for wish in ["trap", "loop"] {
        assert!(asked(&kept, wish).await.1.is_err());
        assert_eq!(count(&asked(&kept, "count").await.0), "1", "after {wish}");
    }
    let dropped = tokio::time::timeout(Duration::from_millis(20), asked(&kept, "loop")).await;
    assert!(dropped.is_err());
    assert_eq!(
        count(&asked(&kept, "count").await.0),
        "1",
        "after a dropped future"
    );
}

#[tokio::test]
async fn a_filter_keeps_its_instance_from_the_request_to_the_response() {
    let plugin = unruly(|_| ()).await;
    let mut slot = Slot::default();
    let mut x = exchange("count");
    assert!(plugin.on_request(&mut x, &mut slot).await.is_ok());
    x.request_body = Some("abc".into());
    assert!(plugin.on_request_body(&mut x, &mut slot).await.is_ok());
    x.response = Some(ResponseHead {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
    });
    assert!(plugin.on_response(&mut x, &mut slot).await.is_ok());
    assert_eq!(x.response.expect("still there").headers["x-calls"], "1");
}

#[tokio::test]
async fn a_body_and_a_target_that_a_filter_changes_are_what_goes_on() {
    let plugin = unruly(|_| ()).await;
    let mut x = exchange("shout");
    x.request_body = Some("abc".into());
    assert!(
        plugin
            .on_request_body(&mut x, &mut Slot::default())
            .await
            .is_ok()
    );
    assert_eq!(x.request_body.as_deref(), Some(b"ABC".as_slice()));
    let (x, outcome) = asked(&plugin, "rewrite").await;
    assert!(outcome.is_ok());
    assert_eq!(x.target.as_str(), "/path?x=1", "normalised like a client's");
    let (_, outcome) = asked(&plugin, "teapot").await;
    assert!(
        matches!(outcome, Ok(Outcome::Respond(reply)) if reply.status == StatusCode::IM_A_TEAPOT)
    );
}

#[tokio::test]
async fn a_full_pool_is_overload_and_not_the_plugins_failure() {
    // A pool of its own: the other tests run beside this one.
    let runtime = Runtime::new(EngineOptions {
        instances: 4,
        max_memory: 16 << 20,
        cache: None,
    })
    .expect("an engine");
    let mut spec = spec("{}");
    spec.budget.time = Duration::from_millis(400);
    spec.budget.cpu = Duration::from_millis(400);
    let artifact = Artifact::from_bytes("unruly.wasm".into(), component("unruly.wasm"));
    let verified = artifact
        .compile(&runtime)
        .and_then(|c| c.verify(&runtime, spec))
        .expect("it loads");
    let plugin = verified
        .configure()
        .await
        .expect("it takes its settings")
        .serve();
    let spec = plugin.spec().clone();
    let plugin = plugin.post(spec, Arc::new(Bill::default()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let plugin = plugin.clone();
        calls.spawn(async move { asked(&plugin, "loop").await.1 });
    }
    let mut overloaded = 0;
    while let Some(done) = calls.join_next().await {
        overloaded += usize::from(matches!(
            done.expect("no panic"),
            Err(CallError::Overloaded)
        ));
    }
    assert!(overloaded > 0, "4 instances cannot serve 8 calls at once");
    assert!(
        asked(&plugin, "count").await.1.is_ok(),
        "and afterwards all is well"
    );
}
