//! The plugin with its own schemas, against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{self, Value, json};
use portcullis_sdk::testing::Fake;
use validate::Validate;

fn plugin(settings: &Value) -> Validate {
    Validate::configure(settings::parse(&settings.to_string()).unwrap()).unwrap()
}

fn mistakes(settings: &Value) -> String {
    settings::parse(&settings.to_string())
        .and_then(Validate::configure)
        .unwrap_err()
}

fn user() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "minLength": 1 },
            "mail": { "type": "string", "format": "email" },
            "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" } },
        },
        "$defs": { "tag": { "type": "string", "pattern": "^[a-z]+$" } },
    })
}

fn post(body: &str) -> Fake {
    Fake::request("POST", "/users")
        .with_header("content-type", "application/json")
        .with_body(body)
}

fn both(plugin: &Validate, fake: &Fake) -> Result<Verdict, Fault> {
    plugin.on_request(&mut fake.exchange())?;
    plugin.on_request_body(&mut fake.exchange())
}

/// The name of the refusal and its errors as text.
fn refused(result: Result<Verdict, Fault>) -> (String, Vec<String>) {
    let fault = result.unwrap_err();
    let refusal = fault.refusal().unwrap();
    // The log is told the same list that the client gets.
    let errors: Value = serde_json::from_str(refusal.logged().unwrap()).unwrap_or_default();
    let error = |e: &Value| {
        let part = |key: &str| e[key].as_str().unwrap().to_owned();
        format!("{} {}: {}", part("where"), part("pointer"), part("detail"))
    };
    let errors = errors
        .as_array()
        .map(|list| list.iter().map(error).collect());
    (refusal.reason().to_owned(), errors.unwrap_or_default())
}

#[test]
fn a_body_that_fits_passes_as_it_is() {
    let plugin = plugin(&json!({ "request": { "body": user() } }));
    for body in [
        r#"{ "name": "x" }"#,
        r#"{"name":"x","mail":"a@b.example","tags":["a","b"]}"#,
        "",
    ] {
        let fake = post(body);
        assert_eq!(both(&plugin, &fake), Ok(Verdict::Next), "{body}");
        assert_eq!(fake.exchange().body().unwrap(), body.as_bytes());
    }
}

#[test]
fn every_error_has_its_place() {
    let plugin = plugin(&json!({ "request": { "body": user() } }));
    let (reason, mut errors) = refused(both(
        &plugin,
        &post(r#"{"tags":["a","B",3],"mail":"secret","a/b":1}"#),
    ));
    errors.sort();
    assert_eq!(reason, "unprocessable");
    assert_eq!(
        errors,
        [
            r#"body /mail: value is not a "email""#,
            r#"body /tags/1: value does not match "^[a-z]+$""#,
            r#"body /tags/2: value is not of type "string""#,
            r#"body : "name" is a required property"#,
            r#"body : Additional properties are not allowed ('a/b' was unexpected)"#,
        ]
    );
}

#[test]
fn errors_are_bounded() {
    let plugin = plugin(
        &json!({ "max_errors": 3, "request": { "body": { "items": { "type": "string" } } } }),
    );
    let body = format!("[{}0]", "0,".repeat(5_000));
    assert_eq!(refused(both(&plugin, &post(&body))).1.len(), 3);
    let plugin = self::plugin(&json!({ "request": { "body": { "additionalProperties": false } } }));
    let body = format!("{{\"{}\":1}}", "k".repeat(100_000));
    assert!(refused(both(&plugin, &post(&body))).1.concat().len() < 300);
    let fault = both(&plugin, &post(r#"{"k":1}"#)).unwrap_err();
    assert!(
        format!("{fault:?}").contains(r#"members: [("errors", "[{"#),
        "{fault:?}"
    );
}

#[test]
fn what_is_no_json_or_too_much_is_told_apart() {
    let plugin = plugin(&json!({
        "max_bytes": 60, "max_depth": 4, "max_values": 5, "request": { "body": true, "body_required": true }
    }));
    assert_eq!(plugin.body_limit(), 60);
    for (body, reason) in [
        ("", "invalid-request"),
        ("{", "invalid-request"),
        (r#"{"a":1,"a":1}"#, "invalid-request"),
        ("[[[[[]]]]]", "too-large"),
        ("[1,1,1,1,1]", "too-large"),
        (&" ".repeat(61), "too-large"),
    ] {
        let (told, errors) = refused(both(&plugin, &post(body)));
        assert_eq!((told.as_str(), errors.len()), (reason, 1), "{body}");
    }
}

#[test]
fn content_types_are_checked_first() {
    let plugin = plugin(
        &json!({ "request": { "body": user(), "content_types": ["application/json", "text/csv"] } }),
    );
    let with = |name: &str, value: &str| {
        Fake::request("POST", "/")
            .with_header(name, value)
            .with_body("a,b")
    };
    for content_type in [
        "text/html",
        "application/problem+json",
        "application/json; charset=latin1",
    ] {
        let (reason, _) =
            refused(plugin.on_request(&mut with("content-type", content_type).exchange()));
        assert_eq!(reason, "unsupported-media-type", "{content_type}");
    }
    let (reason, _) = refused(both(&plugin, &with("x-a", "b")));
    assert_eq!(reason, "unsupported-media-type");
    let (reason, _) = refused(both(
        &plugin,
        &post("{}").with_header("content-encoding", "gzip"),
    ));
    assert_eq!(reason, "unsupported-media-type");
    // No schema speaks of a body that is not JSON.
    assert_eq!(
        both(&plugin, &with("content-type", "text/csv")),
        Ok(Verdict::Next)
    );
}

#[test]
fn parameters_are_checked_together() {
    let plugin = plugin(&json!({ "request": {
        "headers": { "X-Tenant": { "required": true, "schema": { "enum": ["a", "b"] } } },
        "query": {
            "limit": { "schema": { "type": "integer", "minimum": 1, "maximum": 100 } },
            "id": { "required": true, "schema": { "type": "array", "items": { "type": "integer" }, "maxItems": 2 } },
        }
    }}));
    assert_eq!(plugin.phases(), Phases::REQUEST);
    let fake = Fake::request("GET", "/?id=1&id=2&other=x").with_header("x-tenant", "a");
    assert_eq!(plugin.on_request(&mut fake.exchange()), Ok(Verdict::Next));
    let fake = Fake::request("GET", "/?limit=0&id=1").with_header("x-tenant", "c");
    let (reason, errors) = refused(plugin.on_request(&mut fake.exchange()));
    assert_eq!(reason, "unprocessable");
    assert_eq!(
        errors,
        [
            r#"header /X-Tenant: value is not one of "a" or "b""#,
            "query /limit: value is less than the minimum of 1",
        ]
    );
    let fake = Fake::request("GET", "/?limit=%zz");
    let (reason, errors) = refused(plugin.on_request(&mut fake.exchange()));
    assert_eq!(reason, "invalid-request");
    assert_eq!(
        errors,
        [
            "header /X-Tenant: it is missing",
            "query /id: it is missing",
            "query /limit: it is not percent-encoded UTF-8",
        ]
    );
}

#[test]
fn a_report_lets_pass() {
    let plugin = plugin(&json!({ "request": { "mode": "report", "body": user() } }));
    for body in ["{", "{}", "[]"] {
        assert_eq!(both(&plugin, &post(body)), Ok(Verdict::Next), "{body}");
    }
    let html = Fake::request("POST", "/")
        .with_header("content-type", "text/html")
        .with_body("<p>");
    assert_eq!(both(&plugin, &html), Ok(Verdict::Next));
}

#[test]
fn responses_are_reported_or_replaced() {
    let report = plugin(&json!({ "response": { "body": user() } }));
    let enforce = plugin(&json!({ "response": { "mode": "enforce", "body": user() } }));
    assert_eq!(report.phases(), Phases::RESPONSE_BODY);
    let json = [("content-type", "application/json")];
    for (status, body, fits) in [
        (200, r#"{"name":"x"}"#, true),
        (200, "", true),
        (404, "{}", true), // only 2XX is checked
        (201, "{}", false),
        (200, "{", false),
    ] {
        let fake = Fake::request("GET", "/").with_response(status, &json, body);
        assert_eq!(
            report.on_response_body(&mut fake.exchange_back()),
            Ok(Verdict::Next)
        );
        let done = enforce.on_response_body(&mut fake.exchange_back());
        assert_eq!(done == Ok(Verdict::Next), fits, "{status} {body}");
        // A refusal and no failure: what fails open must not let it pass.
        let refusal = done.as_ref().err().map(|fault| fault.refusal().unwrap());
        let reason = refusal.map(Refusal::reason);
        assert_eq!(reason, (!fits).then_some("bad-gateway"), "{status} {body}");
    }
    let html =
        Fake::request("GET", "/").with_response(200, &[("content-type", "text/html")], "<p>");
    assert_ne!(
        enforce.on_response_body(&mut html.exchange_back()),
        Ok(Verdict::Next)
    );
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let tree = json!({ "type": "object", "properties": { "kids": { "type": "array", "items": { "$ref": "#" } } } });
    let plugin = plugin(&json!({ "request": { "body": tree } }));
    let deep = |leaf: &str| format!("{}{leaf}{}", r#"{"kids":["#.repeat(31), "]}".repeat(31));
    assert_eq!(both(&plugin, &post(&deep("{}"))), Ok(Verdict::Next));
    assert_eq!(refused(both(&plugin, &post(&deep("1")))).0, "unprocessable");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let told = mistakes(&json!({
        "max_errors": 0, "max_depth": 65, "base_path": "/x",
        "request": {
            "body": { "type": "strng" },
            "content_types": ["json"],
            "headers": { "x": { "schema": { "pattern": "(?=a)" } } },
            "query": { "y": { "schema": "{" } },
        },
        "response": { "body": { "$ref": "https://example.com/a.json" }, "status": ["2xx"] },
    }));
    for place in [
        "max_errors: 0 is not between 1 and 1000",
        "max_depth: 65 is not between 1 and 64",
        "base_path: it stands before the paths of `openapi`",
        "request.body: it is no schema: /type:",
        "request.content_types[0]: \"json\" is no media type",
        "request.headers.x.schema: it is no schema",
        "request.query.y.schema: it is no JSON",
        "response.body: it is no schema",
        "only references inside of it are followed",
        "response.status[0]: \"2xx\" is no status",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(mistakes(&json!({})).starts_with("there is nothing to check"));
    let unknown = mistakes(&json!({ "request": { "bdy": {} } }));
    assert!(
        unknown.starts_with("request.bdy: unknown field"),
        "{unknown}"
    );
}
