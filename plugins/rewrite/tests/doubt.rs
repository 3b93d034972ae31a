//! A body that a rule cannot read does not pass by it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;
use rewrite::Rewrite;

fn plugin(json: &str) -> Rewrite {
    Rewrite::configure(settings::parse(json).unwrap()).unwrap()
}

fn told(result: Result<Verdict, Fault>) -> &'static str {
    match result {
        Ok(Verdict::Next) => "goes on",
        Ok(Verdict::Respond(_)) => "answers",
        Err(Fault::Failed(_)) => "failed",
        Err(Fault::Refuse(refusal)) => match refusal.reason() {
            "bad-gateway" => "bad-gateway",
            "unsupported-media-type" => "unsupported-media-type",
            "invalid-request" => "invalid-request",
            _ => "another refusal",
        },
    }
}

type Lines = &'static [(&'static str, &'static str)];

const JSON: (&str, &str) = ("content-type", "application/json");
const SECRET: &str = r#"{"secret":1,"x":2}"#;

#[test]
fn a_response_that_cannot_be_read_is_refused() {
    let [unset, pass, refuse] = ["", r#","other":"pass""#, r#","other":"refuse""#].map(|other| {
        plugin(&format!(
            r#"{{"response":{{"body":{{"remove":["/secret"]}}{other}}}}}"#
        ))
    });
    const BAD: &str = "bad-gateway";
    const ON: &str = "goes on";
    // Status, head, body; what becomes of it without `other`, with "pass" and with "refuse".
    type Case = (u16, Lines, &'static str, [&'static str; 3]);
    let cases: [Case; 22] = [
        (200, &[JSON], SECRET, [ON, ON, ON]),
        (404, &[JSON], SECRET, [ON, ON, ON]),
        (200, &[], SECRET, [ON, ON, ON]),
        (200, &[("content-type", "text/json")], SECRET, [ON, ON, ON]),
        (
            200,
            &[("content-type", "application/x-json; charset=utf-8")],
            SECRET,
            [ON, ON, ON],
        ),
        (200, &[JSON], "", [ON, ON, ON]),
        (
            200,
            &[JSON, ("content-encoding", "gzip")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            200,
            &[JSON, ("content-encoding", "identity, br")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            200,
            &[
                JSON,
                ("content-encoding", "identity"),
                ("content-encoding", "br"),
            ],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            404,
            &[JSON, ("content-encoding", "gzip")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            200,
            &[("content-encoding", "gzip")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (206, &[JSON], SECRET, [BAD, BAD, BAD]),
        (226, &[JSON], SECRET, [BAD, BAD, BAD]),
        (
            206,
            &[("content-type", "multipart/byteranges; boundary=x")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (200, &[JSON, JSON], SECRET, [BAD, BAD, BAD]),
        (
            200,
            &[("content-type", "text/html"), JSON],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            200,
            &[("content-type", "text/html;")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (
            200,
            &[("content-type", "application/json; charset=utf-16")],
            SECRET,
            [BAD, BAD, BAD],
        ),
        (200, &[JSON], "x(1)", [BAD, BAD, BAD]),
        (
            200,
            &[("content-type", "text/html")],
            "<p>1",
            [BAD, ON, BAD],
        ),
        (
            200,
            &[("content-type", "application/javascript")],
            "x(1)",
            [BAD, ON, BAD],
        ),
        (
            502,
            &[("content-type", "text/html"), ("content-encoding", "gzip")],
            "<p>",
            [ON, ON, BAD],
        ),
    ];
    for (status, headers, body, wanted) in cases {
        let done = [&unset, &pass, &refuse].map(|plugin| {
            let fake = Fake::request("GET", "/").with_response(status, headers, body);
            let done = told(plugin.on_response_body(&mut fake.exchange_back()));
            let left = fake.exchange().response().body().unwrap();
            let changed = left == br#"{"x":2}"#;
            assert_eq!(
                changed,
                done == ON && body == SECRET,
                "{status} {headers:?} {body}"
            );
            done
        });
        assert_eq!(done, wanted, "{status} {headers:?} {body}");
    }
}

#[test]
fn what_an_upstream_or_a_client_says_makes_no_failure() {
    for (settings, body) in [
        (
            r#"{"body":{"remove":["/secret"],"set":{"/x/y":1}}}"#,
            SECRET,
        ),
        (
            r#"{"body":{"remove":["/secret"],"set":{"/y":"{query.q + 1}"}}}"#,
            SECRET,
        ),
        (
            r#"{"body":{"template":"{\"x\": {{ body.y | raw }}}"}}"#,
            r#"{"y":"}"}"#,
        ),
        (
            r#"{"headers":{"set":{"x-y":"{body.y}"}}}"#,
            r#"{"y":"a\nb"}"#,
        ),
        (r#"{"status":"{body.x}"}"#, r#"{"x":7}"#),
    ] {
        let plugin = plugin(&format!(r#"{{"response":{settings}}}"#));
        let fake = Fake::request("GET", "/?q=a").with_response(200, &[JSON], body);
        let done = told(plugin.on_response_body(&mut fake.exchange_back()));
        assert_eq!(done, "bad-gateway", "{settings}");
    }
}

#[test]
fn a_head_that_waits_for_a_body_changes_without_one_too() {
    let plugin = plugin(
        r#"{"response":{"headers":{"remove":["x-secret"],"rename":{"x-a":"x-b"},
            "default":{"x-y":"{body.y}"},"set":{"x-z":"{body.z}","x-route":"{method}"}},"status":"{body.s}"}}"#,
    );
    let html = ("content-type", "text/html");
    let headers = [("x-secret", "1"), ("x-a", "2"), ("x-z", "upstream"), html];
    for (method, status, body) in [("HEAD", 200, ""), ("GET", 304, ""), ("GET", 404, "<p>")] {
        let fake = Fake::request(method, "/").with_response(status, &headers, body);
        assert_eq!(
            told(plugin.on_response(&mut fake.exchange_back())),
            "goes on"
        );
        if method != "HEAD" {
            assert_eq!(
                told(plugin.on_response_body(&mut fake.exchange_back())),
                "goes on"
            );
        }
        let left = ["x-secret", "x-a", "x-b", "x-y", "x-z", "x-route"];
        let left = left.map(|name| fake.response_header_text(name));
        let wanted = [None, None, Some("2"), None, None, Some(method)];
        assert_eq!(
            left,
            wanted.map(|value| value.map(str::to_owned)),
            "{method} {status}"
        );
        assert_eq!(fake.exchange().status(), Some(status), "{method}");
    }
}

#[test]
fn a_request_that_cannot_be_read_is_refused() {
    let plugin = plugin(r#"{"request":{"body":{"set":{"/owner":1}}}}"#);
    let cases: [(Lines, &str); 12] = [
        (&[JSON], "goes on"),
        (&[], "goes on"),
        (&[("content-type", "text/json")], "goes on"),
        (&[JSON, JSON], "unsupported-media-type"),
        (
            &[JSON, ("content-type", "text/csv")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "application/json;")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "application/json, text/csv")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "application/json; charset=utf-7")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "text/javascript")],
            "unsupported-media-type",
        ),
        (
            &[
                JSON,
                ("content-encoding", "identity"),
                ("content-encoding", "br"),
            ],
            "unsupported-media-type",
        ),
        (
            &[JSON, ("content-encoding", "identity, gzip")],
            "unsupported-media-type",
        ),
        (
            &[JSON, ("content-range", "bytes 0-1/9")],
            "unsupported-media-type",
        ),
    ];
    for (lines, wanted) in cases {
        let fake = lines
            .iter()
            .fold(Fake::request("PUT", "/"), |fake, (name, value)| {
                fake.with_header(name, value)
            })
            .with_body("{}");
        let done = told(plugin.on_request_body(&mut fake.exchange()));
        assert_eq!(done, wanted, "{lines:?}");
    }
}

#[test]
fn no_reader_of_the_query_finds_what_a_client_put_there() {
    let plugin = plugin(r#"{"request":{"query":{"remove":["debug"],"set":{"owner":"7"}}}}"#);
    for (query, wanted) in [
        ("debug[]=1&debug%5Ba%5D=1&debugs=1", "debugs=1&owner=7"),
        ("owner=1&owner[]=2&x=1", "owner=7&x=1"),
        ("x=1;owner=2", "x=1%3Bowner=2&owner=7"),
        ("x=1;d%65bug=2;y", "x=1%3Bd%65bug=2%3By&owner=7"),
        ("owner;x=2", "owner%3Bx=2&owner=7"),
        ("x=1;y=2", "x=1;y=2&owner=7"),
    ] {
        let fake = Fake::request("GET", &format!("/?{query}"));
        assert_eq!(told(plugin.on_request(&mut fake.exchange())), "goes on");
        assert_eq!(fake.exchange().target(), format!("/?{wanted}"), "{query}");
    }
}

#[test]
fn a_body_made_anew_is_plain() {
    let plugin = plugin(r#"{"response":{"body":{"template":"{}"}}}"#);
    let headers = [JSON, ("content-encoding", "gzip")];
    let fake = Fake::request("GET", "/").with_response(200, &headers, "\x1f\x08");
    assert_eq!(
        told(plugin.on_response_body(&mut fake.exchange_back())),
        "goes on"
    );
    assert_eq!(fake.response_header_text("content-encoding"), None);
}
