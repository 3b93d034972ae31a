//! The plugin against a clock that only moves when it waits.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use aggregate::{Aggregate, Upstreams};
use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;
use portcullis_sdk::upstream::{Answer, Call, CallError};

/// What each upstream does, and what was asked of it.
#[derive(Default)]
struct Sim {
    now: u64,
    answers: BTreeMap<&'static str, (u64, Result<Answer, CallError>)>,
    calls: Vec<String>,
    cancelled: Rc<RefCell<Vec<String>>>,
}

struct Flight {
    upstream: String,
    done: u64,
    cancelled: Option<Rc<RefCell<Vec<String>>>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(cancelled) = &self.cancelled {
            cancelled.borrow_mut().push(self.upstream.clone());
        }
    }
}

impl Upstreams for Sim {
    type Pending = Flight;

    fn start(&mut self, call: Call) -> Result<Flight, CallError> {
        let told = format!("{call:?}");
        let upstream = told.split('"').nth(1).unwrap().to_owned();
        self.calls.push(told);
        let (after, _) = self
            .answers
            .get(upstream.as_str())
            .ok_or(CallError::NotGranted)?;
        let done = self.now + after;
        Ok(Flight {
            upstream,
            done,
            cancelled: Some(Rc::clone(&self.cancelled)),
        })
    }

    fn next(&mut self, pending: &[&Flight]) -> Option<usize> {
        let (at, first) = pending
            .iter()
            .enumerate()
            .min_by_key(|(_, flight)| flight.done)?;
        self.now = self.now.max(first.done);
        Some(at)
    }

    fn take(&mut self, mut pending: Flight) -> Result<Answer, CallError> {
        pending.cancelled = None;
        self.answers[pending.upstream.as_str()].1.clone()
    }
}

fn sim(answers: &[(&'static str, u64, &str)]) -> Sim {
    let answer = |body: &str| {
        Ok(Answer {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        })
    };
    Sim {
        answers: answers
            .iter()
            .map(|(name, after, body)| (*name, (*after, answer(body))))
            .collect(),
        ..Sim::default()
    }
}

fn plugin(json: &str) -> Aggregate {
    Aggregate::configure(settings::parse(json).unwrap()).unwrap()
}

fn mistakes(json: &str) -> String {
    settings::parse(json)
        .and_then(Aggregate::configure)
        .unwrap_err()
}

fn request() -> Fake {
    Fake::request("GET", "/api/dashboard?page=2")
        .with_attr("caller.id", "4/2")
        .with_attr("request.id", "r-1")
        .with_header("authorization", "secret")
        .with_header("accept-language", "de")
}

fn run(plugin: &Aggregate, sim: &mut Sim) -> Result<Reply, Fault> {
    plugin.answer(&request().exchange(), sim)
}

fn whole(body: &str) -> Reply {
    Reply::new(200)
        .header("content-type", "application/json")
        .body(body)
}

fn partial(body: &str, mark: &str) -> Reply {
    Reply::new(200)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .header("x-portcullis-partial", mark)
        .body(body)
}

const DASHBOARD: &str = r#"{
    "calls": {
        "user": { "upstream": "users", "path": "/users/{caller.id}" },
        "raids": { "upstream": "raids", "path": "/raids?owner={caller.id}&page={query.page}" },
        "mentions": { "upstream": "mentions", "path": "/mentions/{user#/handle}", "optional": true, "default": [],
            "timeout": "300ms", "max_response": "256KiB", "forward_headers": ["accept-language"] }
    },
    "merge": { "user": "user", "raids": "raids#/items", "mentions": "mentions" }
}"#;

fn dashboard() -> Sim {
    sim(&[
        (
            "users",
            30,
            r#"{"handle":"a&b","id":9007199254740993,"x":1.10}"#,
        ),
        ("raids", 50, r#"{"items":[{"n":1e2}],"next":null}"#),
        ("mentions", 10, r#"[{"by":"x"}]"#),
    ])
}

#[test]
fn the_dashboard_is_one_answer_in_the_time_of_its_slowest_chain() {
    let mut sim = dashboard();
    let answer = run(&plugin(DASHBOARD), &mut sim).unwrap();
    // Numbers as the upstreams wrote them.
    let body = r#"{"mentions":[{"by":"x"}],"raids":[{"n":1e2}],"user":{"handle":"a&b","id":9007199254740993,"x":1.10}}"#;
    assert_eq!(answer, whole(body));
    assert_eq!(sim.now, 50);
    for (at, wanted) in [
        (0, "\"/raids?owner=4%2F2&page=2\""),
        (1, "\"/users/4%2F2\""),
        (2, "\"/mentions/a%26b\""),
    ] {
        assert!(
            sim.calls[at].contains(wanted),
            "{wanted}: {}",
            sim.calls[at]
        );
    }
    assert!(sim.calls[2].contains("accept-language") && sim.calls[2].contains("timeout_ms: 300"));
    assert!(sim.calls.iter().all(|call| !call.contains("authorization")));
}

#[test]
fn a_call_waits_for_what_it_names_and_for_nothing_else() {
    // By waves: 60 + 100. By chains: 10 + 100.
    let plugin = plugin(
        r#"{"calls":{
        "a":{"upstream":"a","path":"/"}, "b":{"upstream":"b","path":"/{a.n}"},
        "c":{"upstream":"c","path":"/"}, "d":{"upstream":"d","path":"/{c.n}/{a.n}"}}}"#,
    );
    let mut sim = sim(&[
        ("a", 10, r#"{"n":1}"#),
        ("b", 100, "1"),
        ("c", 60, r#"{"n":2}"#),
        ("d", 10, "1"),
    ]);
    assert!(run(&plugin, &mut sim).is_ok());
    assert_eq!(sim.now, 110);
}

#[test]
fn an_optional_part_that_fails_is_marked() {
    let whole = r#"{"mentions":[],"raids":[{"n":1e2}],"user":{"handle":"a&b","id":9007199254740993,"x":1.10},"_partial":[{"part":"mentions","reason":"REASON"}]}"#;
    let answer = |status, body: &str| {
        Ok(Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    };
    for (outcome, reason) in [
        (Err(CallError::Timeout), "timeout"),
        (Err(CallError::Connect("refused".to_owned())), "unreachable"),
        (Err(CallError::TooLarge), "too_large"),
        (Err(CallError::NotGranted), "failed"),
        (answer(500, "{}"), "status"),
        (answer(404, "[]"), "status"),
        (answer(200, "<html>"), "not_json"),
        (answer(200, ""), "not_json"),
    ] {
        let mut sim = dashboard();
        sim.answers.insert("mentions", (300, outcome));
        let wanted = partial(
            &whole.replace("REASON", reason),
            &format!("mentions;reason={reason}"),
        );
        assert_eq!(run(&plugin(DASHBOARD), &mut sim).unwrap(), wanted);
    }
}

#[test]
fn a_part_that_is_needed_ends_the_rest() {
    let answer = |status, body: &str| {
        Ok(Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    };
    let problem = |status: u16, name: &str, title: &str| {
        let body = format!(
            r#"{{"request_id":"r-1","status":{status},"title":"{title}","type":"{name}"}}"#
        );
        Ok(Reply::new(status)
            .header("content-type", "application/problem+json")
            .body(body))
    };
    let timeout = problem(
        504,
        "upstream_timeout",
        "The service did not answer in time",
    );
    let broken = problem(502, "upstream_broken", "The service gave an invalid answer");
    for (outcome, wanted) in [
        (Err(CallError::Timeout), timeout),
        (Err(CallError::TooLarge), broken.clone()),
        (answer(404, "{}"), broken.clone()),
        (answer(200, "{"), broken.clone()),
        (
            Err(CallError::Connect("10.0.0.1".to_owned())),
            Err(Refusal::unavailable()
                .because("calls.users: the upstream cannot be reached: 10.0.0.1")
                .into()),
        ),
        (
            Err(CallError::Budget),
            Err(Fault::failed(
                "calls.users: the plugin has used up its upstream calls",
            )),
        ),
    ] {
        let plugin = plugin(
            r#"{"calls":{"users":{"upstream":"users","path":"/"},"slow":{"upstream":"slow","path":"/"}}}"#,
        );
        let mut sim = sim(&[("slow", 5_000, "{}")]);
        sim.answers.insert("users", (20, outcome));
        assert_eq!(run(&plugin, &mut sim), wanted);
        assert_eq!(
            (sim.now, sim.cancelled.borrow().as_slice()),
            (20, &["slow".to_owned()][..])
        );
    }
}

#[test]
fn what_needs_a_lost_part_is_not_asked_for() {
    let json = |default: &str| {
        format!(
            r#"{{"calls":{{
        "a":{{"upstream":"a","path":"/","optional":true{default}}},
        "b":{{"upstream":"b","path":"/{{a.n}}","optional":true}}}}}}"#
        )
    };
    let lost = || {
        let mut sim = sim(&[("b", 1, "1")]);
        sim.answers.insert("a", (1, Err(CallError::Timeout)));
        sim
    };
    let answer = run(&plugin(&json("")), &mut lost()).unwrap();
    let body = r#"{"a":null,"b":null,"_partial":[{"part":"a","reason":"timeout"},{"part":"b","reason":"depends"}]}"#;
    assert_eq!(answer, partial(body, "a;reason=timeout, b;reason=depends"));
    let answer = run(&plugin(&json(r#","default":{"n":7}"#)), &mut lost()).unwrap();
    let body = r#"{"a":{"n":7},"b":1,"_partial":[{"part":"a","reason":"timeout"}]}"#;
    assert_eq!(answer, partial(body, "a;reason=timeout"));
    // Its answer is there and lacks the value.
    let mut sim = sim(&[("a", 1, "{}"), ("b", 1, "1")]);
    let body = r#"{"a":{},"b":null,"_partial":[{"part":"b","reason":"missing"}]}"#;
    assert_eq!(
        run(&plugin(&json("")), &mut sim).unwrap(),
        partial(body, "b;reason=missing")
    );
}

#[test]
fn what_merge_takes_must_be_there() {
    let json = |optional| {
        format!(
            r#"{{"calls":{{"a":{{"upstream":"a","path":"/"{optional}}}}},"merge":{{"x":"a#/n/0","y":"a"}}}}"#
        )
    };
    let mut good = sim(&[("a", 1, r#"{"n":[1]}"#)]);
    assert_eq!(
        run(&plugin(&json("")), &mut good).unwrap(),
        whole(r#"{"x":1,"y":{"n":[1]}}"#)
    );
    let mut bad = sim(&[("a", 1, r#"{"n":[]}"#)]);
    let wanted = partial(
        r#"{"x":null,"y":null,"_partial":[{"part":"a","reason":"missing"}]}"#,
        "a;reason=missing",
    );
    assert_eq!(
        run(&plugin(&json(r#","optional":true"#)), &mut bad).unwrap(),
        wanted
    );
    assert!(format!("{:?}", run(&plugin(&json("")), &mut bad)).contains("status: 502"));
}

#[test]
fn a_template_shapes_the_answer() {
    let plugin = plugin(
        r#"{"calls":{
        "user":{"upstream":"users","path":"/users/{caller.id}"},
        "raids":{"upstream":"raids","method":"POST","path":"/raids/search","optional":true,
            "headers":{"x-page":"{query.page}","x-no":"{none}"},
            "body":{"owner":"{caller.id}","user":"{user.id}","page":"{query.page | int}","fixed":[true,1.5]}}},
        "template":"{\"name\": {{ user.handle | upper }}, \"n\": [{% for r in (raids.items if raids else []) %}{{ r.n }}{% endfor %}]}",
        "status":203,"headers":{"x-user":"{user.handle}"},"partial":{"header":"x-lost"}}"#,
    );
    let mut sim = dashboard();
    let head = |reply: Reply| {
        reply
            .header("content-type", "application/json")
            .header("x-user", "a&b")
    };
    let answer = run(&plugin, &mut sim).unwrap();
    assert_eq!(
        answer,
        head(Reply::new(203)).body(r#"{"name":"A&B","n":[100.0]}"#)
    );
    let body = format!(
        "{:?}",
        br#"{"owner":"4/2","user":9007199254740993,"page":2,"fixed":[true,1.5]}"#.as_slice()
    );
    let sent = &sim.calls[1];
    assert!(
        sent.contains(&body) && sent.contains("x-page") && !sent.contains("x-no"),
        "{sent}"
    );
    let mut sim = dashboard();
    sim.answers.insert("raids", (1, Err(CallError::Timeout)));
    let wanted = head(Reply::new(203))
        .header("cache-control", "no-store")
        .header("x-lost", "raids;reason=timeout");
    let body = r#"{"name":"A&B","n":[],"_partial":[{"part":"raids","reason":"timeout"}]}"#;
    assert_eq!(run(&plugin, &mut sim).unwrap(), wanted.body(body));
}

#[test]
fn the_request_may_lack_something() {
    let plugin = plugin(r#"{"calls":{"a":{"upstream":"a","path":"/{query.id}/{body.n}"}}}"#);
    assert_eq!(plugin.body_limit(), 1 << 20);
    let told = |fake: Fake| {
        let fault = plugin
            .answer(&fake.exchange(), &mut sim(&[("a", 1, "1")]))
            .unwrap_err();
        fault.refusal().map(|refusal| refusal.reason().to_owned())
    };
    let invalid = Some("invalid-request".to_owned());
    assert_eq!(
        told(Fake::request("POST", "/").with_body(r#"{"n":1}"#)),
        invalid
    );
    assert_eq!(
        told(Fake::request("POST", "/?id=..").with_body(r#"{"n":1}"#)),
        invalid
    );
    assert_eq!(
        told(Fake::request("POST", "/?id=1").with_body(r#"{}"#)),
        invalid
    );
    assert_eq!(
        told(Fake::request("POST", "/?id=1").with_body(r#"{"#)),
        invalid
    );
    let anonymous = Aggregate::answer(
        &self::plugin(DASHBOARD),
        &Fake::request("GET", "/").exchange(),
        &mut dashboard(),
    );
    assert!(matches!(anonymous, Err(Fault::Failed(_))));
}

#[test]
fn answers_are_capped_together() {
    let plugin = plugin(
        r#"{"calls":{"a":{"upstream":"a","path":"/"},"b":{"upstream":"b","path":"/","optional":true}},"max_total":"64B"}"#,
    );
    let long = format!("\"{}\"", "x".repeat(40));
    let mut sim = sim(&[("a", 1, &long), ("b", 2, &long)]);
    assert!(format!("{:?}", run(&plugin, &mut sim)).contains("502"));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let told = mistakes(
        r#"{"calls":{
        "user":{"upstream":"","path":"users/{caler.id}","method":"get","default":1},
        "a":{"upstream":"u","path":"/{b.x}"}, "b":{"upstream":"u","path":"/{c#/x}","headers":{"host":"x","x-a":"{{"}},
        "c":{"upstream":"u","path":"/","body":["{a}"],"forward_headers":["a b"]},
        "query":{"upstream":"u","path":"/"}, "X":{"upstream":"u","path":"/"},
        "idle":{"upstream":"u","path":"/{qury.x}"},
        "d":{"upstream":"u","path":"/","optional":true,"default":{}}},
        "merge":{"user":"usr","n":"c#x","d":"d#/items","_partial":"a"},"status":99,"headers":{"x":"{user"}}"#,
    );
    for place in [
        "calls: they wait for one another: a -> b -> c -> a",
        "calls.user.path: {caler.id}: there is no `caler` (did you mean `caller`?)",
        "calls.user.path: the path starts with a slash",
        "calls.user.method: \"get\" is none of GET",
        "calls.user.upstream: name an upstream",
        "calls.user.default: only an optional call",
        "calls.b.headers.host: host is the gateway's own",
        "calls.b.headers.x-a: a place has one brace",
        "calls.c.forward_headers: \"a b\" is no header name",
        "calls.query: query has a meaning already",
        "calls.X: a call's name is",
        "calls.idle.path: {qury.x}: there is no `qury` (did you mean `query`?)",
        "calls.idle: nothing uses its answer",
        "merge.user: there is no call `usr` (did you mean `user`?)",
        "merge.n: \"x\" is no JSON Pointer",
        "merge.d: calls.d.default has nothing there",
        "partial.member: `merge` has a member _partial already",
        "status: 99",
        "headers.x: a `{` starts",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(mistakes(r#"{"calls":{}}"#).contains("calls: there is none"));
    assert!(
        mistakes(r#"{"calls":{"a":{"upstream":"u","path":"/","timeout":"3"}}}"#)
            .starts_with("calls.a.timeout: \"3\" is no duration")
    );
    assert!(
        mistakes(r#"{"calls":{"a":{"upstream":"u","path":"/","tiemout":"3s"}}}"#)
            .contains("unknown field `tiemout`")
    );
    assert!(
        mistakes(
            r#"{"calls":{"a":{"upstream":"u","path":"/"}},"partial":{"header":"","member":""}}"#
        )
        .contains("never silent")
    );
}
