//! What can be read in two ways: it passes by no rule.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, json};
use portcullis_sdk::testing::Fake;
use validate::Validate;

fn plugin(settings: &Value) -> Validate {
    Validate::configure(settings::parse(&settings.to_string()).unwrap()).unwrap()
}

/// What became of a request: `passes`, or the name of the refusal.
fn request(plugin: &Validate, fake: &Fake) -> String {
    let head = plugin.on_request(&mut fake.exchange());
    told(head.and_then(|_| plugin.on_request_body(&mut fake.exchange())))
}

fn told(result: Result<Verdict, Fault>) -> String {
    match result {
        Ok(Verdict::Next) => "passes".to_owned(),
        Ok(Verdict::Respond(reply)) => format!("{reply:?}"),
        Err(fault) => fault.refusal().map_or("failed", Refusal::reason).to_owned(),
    }
}

type Lines = &'static [(&'static str, &'static str)];

fn with(fake: Fake, lines: Lines) -> Fake {
    lines
        .iter()
        .fold(fake, |fake, (name, value)| fake.with_header(name, value))
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const UNSUPPORTED: &str = "unsupported-media-type";

/// Lines of the head, and what becomes of the body `{"evil":1}`, which fits no schema of this test.
const HEADS: [(Lines, &str); 22] = [
    (&[JSON], "unprocessable"),
    (&[FORM], "passes"),
    (&[FORM, JSON], UNSUPPORTED),
    (&[JSON, FORM], UNSUPPORTED),
    (&[JSON, JSON], UNSUPPORTED),
    (
        &[("content-type", "text/csv, application/json")],
        UNSUPPORTED,
    ),
    (
        &[("content-type", "application/json, text/csv")],
        UNSUPPORTED,
    ),
    (
        &[("content-type", "text/csv; charset=utf-8; charset=utf-16")],
        UNSUPPORTED,
    ),
    (&[("content-type", "text/csv;")], UNSUPPORTED),
    (&[("content-type", "text/csv; x")], UNSUPPORTED),
    (&[("content-type", "application/json;")], UNSUPPORTED),
    (&[("content-type", "")], UNSUPPORTED),
    (&[], UNSUPPORTED),
    (
        &[("content-type", "application/JSON ; Charset=\"UTF-8\"")],
        "unprocessable",
    ),
    (&[("content-type", "text/json")], "unprocessable"),
    (&[("content-type", "application/x-json")], "unprocessable"),
    (
        &[("content-type", "application/vnd.a+json")],
        "unprocessable",
    ),
    (
        &[("content-type", "application/jsonrequest")],
        "unprocessable",
    ),
    (
        &[("content-type", "application/json; charset=utf-16")],
        UNSUPPORTED,
    ),
    (
        &[
            JSON,
            ("content-encoding", "identity"),
            ("content-encoding", "gzip"),
        ],
        UNSUPPORTED,
    ),
    (&[JSON, ("content-encoding", "identity, gzip")], UNSUPPORTED),
    (&[JSON, ("content-range", "bytes 0-9/20")], UNSUPPORTED),
];

/// In each of these JSON has to fit, and anything else may come.
fn rules() -> Vec<(&'static str, Validate)> {
    let user = json!({ "type": "object", "required": ["name"] });
    let document = |content: Value| {
        plugin(
            &json!({ "openapi": { "openapi": "3.1.0", "paths": { "/": { "put": {
            "requestBody": { "content": content }, "responses": {}
        } } } } }),
        )
    };
    vec![
        (
            "one schema for all",
            plugin(&json!({ "request": { "body": user, "content_types": ["*/*"] } })),
        ),
        (
            "JSON beside anything",
            plugin(
                &json!({ "request": { "body": user, "content_types": ["application/json", "*/*"] } }),
            ),
        ),
        (
            "a document's JSON beside anything",
            document(json!({ "application/json": { "schema": user }, "*/*": {} })),
        ),
        (
            "a document's JSON beside kinds",
            document(
                json!({ "application/json": { "schema": user }, "application/*": {}, "text/*": {} }),
            ),
        ),
    ]
}

#[test]
fn a_head_that_can_be_read_in_two_ways_passes_by_no_rule() {
    for (name, plugin) in rules() {
        for (lines, wanted) in HEADS {
            let fake = with(Fake::request("PUT", "/"), lines).with_body(r#"{"evil":1}"#);
            assert_eq!(request(&plugin, &fake), wanted, "{name}: {lines:?}");
        }
    }
}

#[test]
fn a_type_that_a_document_names_is_the_documents_own_business() {
    let plugin = plugin(
        &json!({ "openapi": { "openapi": "3.1.0", "paths": { "/": { "put": {
        "requestBody": { "content": {
            "application/json": { "schema": { "required": ["name"] } },
            "application/merge-patch+json": {},
            "application/json-seq": {},
            "*/*": {},
        } }, "responses": {}
    } } } } }),
    );
    for (content_type, wanted) in [
        ("application/merge-patch+json", "passes"),
        ("application/json-seq", "passes"),
        ("image/png", "passes"),
        ("application/a+json", "unprocessable"),
    ] {
        let fake = Fake::request("PUT", "/")
            .with_header("content-type", content_type)
            .with_body("{}");
        assert_eq!(request(&plugin, &fake), wanted, "{content_type}");
    }
}

#[test]
fn bytes_that_are_no_utf8_json_are_none() {
    let plugin = plugin(&json!({ "request": { "body": true } }));
    for body in [
        b"\xef\xbb\xbf{}".as_slice(),
        b"\xff\xfe{\0}\0",
        b"\xfe\xff\0{\0}",
        b"{\0}\0",
        b"{\0\0\0}\0\0\0",
        b"+AHs-+AH0-",
    ] {
        for method in ["PUT", "GET", "HEAD", "DELETE"] {
            let fake = with(Fake::request(method, "/"), &[JSON]).with_body(body);
            assert_eq!(
                request(&plugin, &fake),
                "invalid-request",
                "{method} {body:?}"
            );
        }
    }
}

#[test]
fn a_response_that_can_be_read_in_two_ways_does_not_fit() {
    let plugin = plugin(&json!({ "response": {
        "mode": "enforce", "body": { "required": ["name"] }, "content_types": ["application/json", "*/*"]
    } }));
    type Case = (u16, &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case; 9] = [
        (200, &[JSON], "passes"),
        (200, &[("content-type", "text/html")], "passes"),
        (200, &[JSON, JSON], "bad-gateway"),
        (200, &[FORM, JSON], "bad-gateway"),
        (
            200,
            &[("content-type", "text/html, application/json")],
            "bad-gateway",
        ),
        (
            200,
            &[JSON, ("content-encoding", "identity, gzip")],
            "bad-gateway",
        ),
        (206, &[JSON], "bad-gateway"),
        (
            206,
            &[("content-type", "multipart/byteranges; boundary=x")],
            "bad-gateway",
        ),
        (
            200,
            &[("content-type", "application/json; charset=utf-16")],
            "bad-gateway",
        ),
    ];
    for (status, headers, wanted) in cases {
        let fake = Fake::request("GET", "/").with_response(status, headers, r#"{"name":1}"#);
        let done = told(plugin.on_response_body(&mut fake.exchange_back()));
        assert_eq!(done, wanted, "{status} {headers:?}");
    }
}

#[test]
fn an_answer_to_head_is_checked_without_its_body() {
    let own = plugin(&json!({ "response": {
        "mode": "enforce", "body_required": true, "headers": { "x-a": { "required": true } }
    } }));
    let document = plugin(&json!({
        "openapi": { "openapi": "3.1.0", "paths": { "/": { "get": { "responses": { "200": {
            "headers": { "x-a": { "required": true } },
            "content": { "application/json": { "schema": { "required": ["name"] } } },
        } } } } } },
        "response": { "mode": "enforce" },
    }));
    for (plugin, odd) in [(own, "passes"), (document, "bad-gateway")] {
        assert!(plugin.phases().contains(Phases::RESPONSE));
        for (method, status, headers, wanted) in [
            ("HEAD", 200, &[("x-a", "1")][..], "passes"),
            ("HEAD", 200, &[], "bad-gateway"),
            ("HEAD", 404, &[("x-a", "1")], odd),
            // What has a body is checked with it.
            ("GET", 200, &[], "passes"),
        ] {
            let fake = Fake::request(method, "/").with_response(status, headers, "");
            let done = told(plugin.on_response(&mut fake.exchange_back()));
            assert_eq!(done, wanted, "{method} {status} {headers:?}");
        }
    }
}

#[test]
fn a_parameter_that_services_read_in_two_ways_is_refused() {
    let plugin = plugin(&json!({ "request": { "query": {
        "limit": { "schema": { "type": "integer", "maximum": 100 } }
    } } }));
    for (target, wanted) in [
        ("/?limit=7&x=a;b", "passes"),
        ("/?x[limit]=7", "passes"),
        ("/?limit=700", "unprocessable"),
        ("/?limit=7&limit=700", "invalid-request"),
        ("/?x=1;limit=700", "invalid-request"),
        ("/?x=1;lim%69t=700", "invalid-request"),
        ("/?limit;x=700", "invalid-request"),
        ("/?limit[]=700", "invalid-request"),
        ("/?limit%5B0%5D=700", "invalid-request"),
    ] {
        let fake = Fake::request("GET", target);
        assert_eq!(
            told(plugin.on_request(&mut fake.exchange())),
            wanted,
            "{target}"
        );
    }
}

fn users(unknown: &str) -> Validate {
    let id =
        json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } });
    plugin(
        &json!({ "unknown": unknown, "base_path": "/api", "openapi": { "openapi": "3.1.0", "paths": {
        "/users": { "post": { "responses": {}, "requestBody": {
            "required": true, "content": { "application/json": { "schema": { "required": ["name"] } } }
        } } },
        "/users/{id}": { "get": { "parameters": [id], "responses": {} } },
        "/users/me": { "put": { "responses": {} } },
    } } }),
    )
}

#[test]
fn no_spelling_of_an_operation_passes_for_an_unknown_one() {
    let (pass, refuse) = (users("pass"), users("refuse"));
    for (method, target, passing, refusing) in [
        ("POST", "/api/users", "unprocessable", "unprocessable"),
        ("POST", "/api/users/", "unprocessable", "not-found"),
        ("POST", "/api//users", "unprocessable", "not-found"),
        ("POST", "/API/Users", "unprocessable", "not-found"),
        ("POST", "/api/users;v=1", "unprocessable", "not-found"),
        ("POST", "/api%2Fusers", "unprocessable", "not-found"),
        ("POST", "/api/users.json", "unprocessable", "not-found"),
        ("GET", "/api/users/x/", "unprocessable", "not-found"),
        ("GET", "/api/users/7/", "passes", "not-found"),
        ("GET", "/api/users/me", "unprocessable", "not-found"),
        ("POST", "/api/raids", "passes", "not-found"),
        ("DELETE", "/api/users", "passes", "not-found"),
    ] {
        let fake = || with(Fake::request(method, target), &[JSON]).with_body("{}");
        assert_eq!(request(&pass, &fake()), passing, "{method} {target}");
        assert_eq!(request(&refuse, &fake()), refusing, "{method} {target}");
    }
}

#[test]
fn a_request_is_checked_by_the_method_that_it_has() {
    for (target, lines, wanted) in [
        ("/api/users/7", &[][..], "passes"),
        (
            "/api/users/7",
            &[("x-http-method-override", "get")],
            "passes",
        ),
        (
            "/api/users/7",
            &[("x-http-method-override", "PUT")],
            "invalid-request",
        ),
        (
            "/api/users/7",
            &[("X-HTTP-Method", "DELETE")],
            "invalid-request",
        ),
        (
            "/api/users/7",
            &[("x-method-override", "GET"), ("x-method-override", "PUT")],
            "invalid-request",
        ),
        ("/api/users/7?_method=PUT", &[], "invalid-request"),
        ("/api/users/7?_method=GET", &[], "passes"),
    ] {
        let fake = with(Fake::request("GET", target), lines).with_body("");
        assert_eq!(
            request(&users("refuse"), &fake),
            wanted,
            "{target} {lines:?}"
        );
    }
}
