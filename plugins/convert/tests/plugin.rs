//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use convert::Convert;
use portcullis_sdk::prelude::*;
use portcullis_sdk::testing::Fake;

const BOTH: &str =
    r#"{"request":{"from":"json","to":"python"},"response":{"from":"python","to":"json"}}"#;

fn plugin(json: &str) -> Convert {
    Convert::configure(settings::parse(json).unwrap()).unwrap()
}

fn mistakes(json: &str) -> String {
    settings::parse(json)
        .and_then(Convert::configure)
        .unwrap_err()
}

fn post(content_type: &str, body: &str) -> Fake {
    Fake::request("POST", "/legacy")
        .with_header("content-type", content_type)
        .with_body(body)
}

fn body(x: &Exchange) -> String {
    String::from_utf8(x.body().unwrap()).unwrap()
}

fn reason(result: Result<Verdict, Fault>) -> String {
    let fault = result.unwrap_err();
    fault.refusal().map_or("failed", Refusal::reason).to_owned()
}

#[test]
fn an_old_service_hears_and_speaks_python() {
    let plugin = plugin(BOTH);
    let fake = post(
        "application/json; charset=UTF-8",
        r#"{"on":true,"n":null,"who":"O'Neil"}"#,
    )
    .with_header("content-md5", "x")
    .with_response(
        200,
        &[("content-type", "text/plain"), ("etag", "\"1\"")],
        "{'ok': True, 'parts': (1, 2.50)}\n",
    );
    assert_eq!(plugin.on_request(&mut fake.exchange()), Ok(Verdict::Next));
    assert_eq!(
        plugin.on_request_body(&mut fake.exchange()),
        Ok(Verdict::Next)
    );
    assert_eq!(
        body(&fake.exchange()),
        r#"{'on': True, 'n': None, 'who': "O'Neil"}"#
    );
    let told = fake.header_text("content-type");
    assert_eq!(told.as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(fake.header_text("content-md5"), None);

    assert_eq!(
        plugin.on_response_body(&mut fake.exchange_back()),
        Ok(Verdict::Next)
    );
    assert_eq!(
        body(&fake.exchange_back()),
        r#"{"ok":true,"parts":[1,2.50]}"#
    );
    let told = fake.response_header_text("content-type");
    assert_eq!(told.as_deref(), Some("application/json"));
    assert_eq!(fake.response_header_text("etag"), None);
}

#[test]
fn what_is_empty_stays_so() {
    let plugin = plugin(BOTH);
    for fake in [
        Fake::request("GET", "/").with_body(""),
        post("application/json", ""),
        Fake::request("GET", "/")
            .with_body("")
            .with_response(204, &[], ""),
    ] {
        assert_eq!(plugin.on_request(&mut fake.exchange()), Ok(Verdict::Next));
        assert_eq!(
            plugin.on_request_body(&mut fake.exchange()),
            Ok(Verdict::Next)
        );
        assert_eq!(body(&fake.exchange()), "");
    }
}

#[test]
fn another_type_is_refused_before_its_body() {
    let plugin = plugin(BOTH);
    for content_type in [
        "text/html",
        "application/json; charset=utf-16",
        "application/jsonp",
        "",
        "json",
    ] {
        let fake = post(content_type, "{}");
        assert_eq!(
            reason(plugin.on_request(&mut fake.exchange())),
            "unsupported-media-type",
            "{content_type}"
        );
    }
    let packed = post("application/json", "{}").with_header("content-encoding", "gzip");
    assert_eq!(
        reason(plugin.on_request(&mut packed.exchange())),
        "unsupported-media-type"
    );
    let nameless = Fake::request("POST", "/").with_body("{}");
    assert_eq!(
        plugin.on_request(&mut nameless.exchange()),
        Ok(Verdict::Next)
    );
    assert_eq!(
        reason(plugin.on_request_body(&mut nameless.exchange())),
        "unsupported-media-type"
    );
    let suffix = post("application/problem+json", "{}");
    assert_eq!(plugin.on_request(&mut suffix.exchange()), Ok(Verdict::Next));
}

#[test]
fn or_passes_where_it_may() {
    let lenient = plugin(r#"{"request":{"from":"json","to":"python","other":"pass"}}"#);
    let fake = post("text/html", "<p>");
    assert_eq!(lenient.on_request(&mut fake.exchange()), Ok(Verdict::Next));
    assert_eq!(
        lenient.on_request_body(&mut fake.exchange()),
        Ok(Verdict::Next)
    );
    assert_eq!(body(&fake.exchange()), "<p>");
    let both = plugin(BOTH);
    for (status, content_type) in [(200, "text/html"), (404, "text/html")] {
        let fake = post("a/b", "").with_response(status, &[("content-type", content_type)], "[1");
        assert_eq!(
            both.on_response_body(&mut fake.exchange_back()),
            Ok(Verdict::Next)
        );
        assert_eq!(body(&fake.exchange_back()), "[1");
    }
    let strict = plugin(r#"{"response":{"from":"python","to":"json","other":"refuse"}}"#);
    let fake = post("a/b", "").with_response(200, &[("content-type", "text/html")], "<p>");
    assert_eq!(
        reason(strict.on_response_body(&mut fake.exchange_back())),
        "bad-gateway"
    );
}

type Lines = &'static [(&'static str, &'static str)];

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn what_cannot_be_read_passes_nowhere() {
    let lenient = plugin(r#"{"request":{"from":"json","to":"python","other":"pass"}}"#);
    let cases: [(Lines, &str); 14] = [
        (&[("content-type", "text/html")], "passes"),
        (
            &[("content-type", "text/html"), ("content-encoding", "gzip")],
            "passes",
        ),
        (&[], "unsupported-media-type"),
        (&[JSON, JSON], "unsupported-media-type"),
        (
            &[("content-type", "text/html"), JSON],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "text/html, application/json")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "application/json;")],
            "unsupported-media-type",
        ),
        (&[("content-type", "")], "unsupported-media-type"),
        (
            &[("content-type", "application/json; charset=utf-16")],
            "unsupported-media-type",
        ),
        (
            &[("content-type", "application/jsonrequest")],
            "unsupported-media-type",
        ),
        (
            &[JSON, ("content-encoding", "gzip")],
            "unsupported-media-type",
        ),
        (
            &[JSON, ("content-encoding", "identity, gzip")],
            "unsupported-media-type",
        ),
        (
            &[
                JSON,
                ("content-encoding", "identity"),
                ("content-encoding", "x"),
            ],
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
        let done = lenient.on_request(&mut fake.exchange());
        let done = done.and_then(|_| lenient.on_request_body(&mut fake.exchange()));
        let told = match done {
            Ok(Verdict::Next) => "passes".to_owned(),
            done => reason(done),
        };
        assert_eq!(told, wanted, "{lines:?}");
        assert_eq!(body(&fake.exchange()), "{}");
    }
}

#[test]
fn a_response_that_cannot_be_read_is_refused() {
    let plugin = plugin(BOTH);
    const PYTHON: (&str, &str) = ("content-type", "text/plain");
    let cases: [(u16, Lines, &str); 11] = [
        (200, &[PYTHON], "passes"),
        (200, &[PYTHON, ("content-encoding", "gzip")], "bad-gateway"),
        (
            200,
            &[PYTHON, ("content-encoding", "identity, gzip")],
            "bad-gateway",
        ),
        (200, &[("content-encoding", "gzip")], "bad-gateway"),
        (206, &[PYTHON], "bad-gateway"),
        (
            206,
            &[("content-type", "multipart/byteranges; boundary=x")],
            "bad-gateway",
        ),
        (200, &[PYTHON, PYTHON], "bad-gateway"),
        (200, &[("content-type", "text/html"), PYTHON], "bad-gateway"),
        (200, &[("content-type", "text/plain;")], "bad-gateway"),
        (
            200,
            &[("content-type", "text/plain; charset=utf-16")],
            "bad-gateway",
        ),
        (
            200,
            &[("content-type", "image/png"), ("content-encoding", "gzip")],
            "passes",
        ),
    ];
    for (status, headers, wanted) in cases {
        let fake = Fake::request("GET", "/").with_response(status, headers, "{'a': 1}");
        let done = plugin.on_response_body(&mut fake.exchange_back());
        match wanted {
            "bad-gateway" => assert_eq!(reason(done), wanted, "{status} {headers:?}"),
            _ => assert_eq!(done, Ok(Verdict::Next), "{status} {headers:?}"),
        }
    }
}

#[test]
fn types_can_be_named() {
    let named = plugin(
        r#"{"response":{"from":"python","to":"json","accept":["Text/HTML"],"content_type":"application/vnd.a+json"}}"#,
    );
    let fake = post("a/b", "").with_response(
        200,
        &[("content-type", "text/html; charset=utf-8")],
        "{'a': 1}",
    );
    assert_eq!(
        named.on_response_body(&mut fake.exchange_back()),
        Ok(Verdict::Next)
    );
    assert_eq!(body(&fake.exchange_back()), r#"{"a":1}"#);
    let told = fake.response_header_text("content-type");
    assert_eq!(told.as_deref(), Some("application/vnd.a+json"));
}

#[test]
fn a_mistake_is_told_by_whose_it_is() {
    let plugin = plugin(BOTH);
    for (text, expected) in [
        ("{", "invalid-request"),
        (r#"{"a":1,"a":2}"#, "invalid-request"),
        (r#"{"a":1e400}"#, "unprocessable"),
        (&"[".repeat(65), "too-large"),
    ] {
        let fake = post("application/json", text);
        assert_eq!(
            reason(plugin.on_request_body(&mut fake.exchange())),
            expected,
            "{text}"
        );
    }
    let fake = post("a/b", "").with_response(200, &[("content-type", "text/plain")], "{1, 2}");
    let fault = plugin
        .on_response_body(&mut fake.exchange_back())
        .unwrap_err();
    let told = "the response is not converted: line 1, column 1: a set cannot be converted";
    let refusal = fault.refusal().unwrap();
    assert_eq!(
        (refusal.reason(), refusal.told(), refusal.logged()),
        ("bad-gateway", None, Some(told))
    );
}

#[test]
fn the_gateway_calls_only_what_is_set() {
    let rule = r#"{"from":"form","to":"json"}"#;
    let request = plugin(&format!(r#"{{"request":{rule}}}"#));
    assert_eq!(request.phases(), Phases::REQUEST.and(Phases::REQUEST_BODY));
    let response = plugin(&format!(r#"{{"response":{rule},"max_bytes":5}}"#));
    assert_eq!(
        (response.phases(), response.body_limit()),
        (Phases::RESPONSE_BODY, 5)
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    assert!(mistakes("{}").starts_with("there is nothing to convert; write request ="));
    let told = mistakes(
        r#"{"max_depth":65,"max_values":0,"max_bytes":9999999,
            "request":{"from":"json","to":"json","accept":["json","a/b; c=d"],"content_type":"x","root":"r"},
            "response":{"from":"json","to":"xml","root":"1"}}"#,
    );
    for place in [
        "max_depth: 65 is not between 1 and 64",
        "max_values: 0 is not between 1 and",
        "max_bytes: 9999999 is not between 1 and 4194304",
        "request: from and to are both JSON",
        "request.accept[0]: \"json\" is no media type",
        "request.accept[1]: \"a/b; c=d\" is no media type",
        "request.content_type: \"x\" is no content type",
        "request.root: only to = \"xml\"",
        "response.root: \"1\" cannot name an element",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(
        mistakes(r#"{"request":{"from":"xml","to":"json"}}"#)
            .starts_with("request.from: unknown variant")
    );
    assert!(mistakes(r#"{"request":{"frm":"json"}}"#).starts_with("request.frm: unknown field"));
}
