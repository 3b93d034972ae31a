//! The plugin with an OpenAPI document.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, json};
use portcullis_sdk::testing::Fake;
use validate::Validate;
use validate::openapi::operations;

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "users", "version": "1" },
        "paths": {
            "/users/{id}": {
                "parameters": [{ "$ref": "#/components/parameters/Id" }],
                "get": { "responses": {
                    "200": { "$ref": "#/components/responses/User" },
                    "4XX": { "description": "an error" },
                } },
                "put": {
                    "parameters": [{ "name": "dry", "in": "query", "schema": { "type": "boolean" } }],
                    "requestBody": { "$ref": "#/components/requestBodies/User" },
                    "responses": { "default": { "description": "any" } },
                },
            },
            "/users/me": { "get": {
                "parameters": [{ "name": "tags", "in": "query", "explode": false, "schema": {
                    "type": "array", "items": { "type": "string", "maxLength": 2 } } }],
            } },
            "/files/{name}.{ext}": { "$ref": "#/components/pathItems/Files" },
        },
        "components": {
            "parameters": { "Id": { "name": "id", "in": "path", "required": true,
                "schema": { "$ref": "#/components/schemas/Id" } } },
            "schemas": {
                "Id": { "type": "integer", "minimum": 1 },
                "User": { "type": "object", "required": ["id"], "properties": {
                    "id": { "$ref": "#/components/schemas/Id" },
                    "friends": { "type": "array", "items": { "$ref": "#/components/schemas/User" } },
                } },
            },
            "requestBodies": { "User": { "required": true, "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/User" } },
                "text/*": {},
            } } },
            "responses": { "User": { "headers": { "x-rate": { "required": true, "schema": { "type": "integer" } } },
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/User" } } } } },
            "pathItems": { "Files": { "get": {} } },
        },
    })
}

fn small() -> Value {
    let mut document = document();
    document["paths"]
        .as_object_mut()
        .unwrap()
        .remove("/files/{name}.{ext}");
    document
}

fn plugin(settings: &Value) -> Validate {
    Validate::configure(settings::parse(&settings.to_string()).unwrap()).unwrap()
}

fn mistakes(settings: &Value) -> String {
    settings::parse(&settings.to_string())
        .and_then(Validate::configure)
        .unwrap_err()
}

fn reason(plugin: &Validate, fake: &Fake) -> String {
    let result = plugin.on_request(&mut fake.exchange());
    let result = result.and_then(|_| plugin.on_request_body(&mut fake.exchange()));
    match result {
        Ok(_) => "passes".to_owned(),
        Err(fault) => fault.refusal().unwrap().reason().to_owned(),
    }
}

fn request(method: &str, target: &str, body: &str) -> Fake {
    let fake = Fake::request(method, target).with_body(body);
    if body.is_empty() {
        fake
    } else {
        fake.with_header("content-type", "application/json")
    }
}

#[test]
fn operations_are_listed() {
    assert_eq!(
        operations(&document()),
        [
            ("GET", "/files/{name}.{ext}"),
            ("GET", "/users/me"),
            ("GET", "/users/{id}"),
            ("PUT", "/users/{id}"),
        ]
    );
    for nothing in [
        json!(null),
        json!({}),
        json!({ "paths": [] }),
        json!({ "paths": { "/a": { "get": 1 } } }),
    ] {
        assert_eq!(operations(&nothing), [], "{nothing}");
    }
}

#[test]
fn a_request_is_held_against_its_operation() {
    let plugin = plugin(&json!({ "openapi": small() }));
    for (method, target, body, expected) in [
        ("GET", "/users/7", "", "passes"),
        ("HEAD", "/users/7", "", "passes"),
        ("GET", "/users/0", "", "unprocessable"),
        ("GET", "/users/x", "", "unprocessable"),
        ("GET", "/users/me", "", "passes"),
        ("GET", "/users/me?tags=aa,bb", "", "passes"),
        ("GET", "/users/me?tags=aa,bbb", "", "unprocessable"),
        ("PUT", "/users/me", r#"{"id":1}"#, "not-found"), // the concrete path is asked first
        ("PUT", "/users/7", r#"{"id":1}"#, "passes"),
        (
            "PUT",
            "/users/7?dry=true",
            r#"{"id":1,"friends":[{"id":2}]}"#,
            "passes",
        ),
        ("PUT", "/users/7?dry=1", r#"{"id":1}"#, "unprocessable"),
        ("PUT", "/users/7", r#"{"friends":[]}"#, "unprocessable"),
        (
            "PUT",
            "/users/7",
            r#"{"id":1,"friends":[{"id":0}]}"#,
            "unprocessable",
        ),
        ("PUT", "/users/7", "{", "invalid-request"),
        ("PUT", "/users/7", "", "invalid-request"),
        ("DELETE", "/users/7", "", "not-found"),
        ("GET", "/users", "", "not-found"),
        ("GET", "/", "", "not-found"),
    ] {
        assert_eq!(
            reason(&plugin, &request(method, target, body)),
            expected,
            "{method} {target} {body}"
        );
    }
    let text = Fake::request("PUT", "/users/7")
        .with_header("content-type", "text/plain")
        .with_body("x");
    assert_eq!(reason(&plugin, &text), "passes");
    let image = Fake::request("PUT", "/users/7")
        .with_header("content-type", "image/png")
        .with_body("x");
    assert_eq!(reason(&plugin, &image), "unsupported-media-type");
}

#[test]
fn paths_may_have_a_base_and_unknown_ones_may_pass() {
    let plugin =
        plugin(&json!({ "openapi": small().to_string(), "base_path": "/api", "unknown": "pass" }));
    for (target, expected) in [
        ("/api/users/7", "passes"),
        ("/api/users/0", "unprocessable"),
        ("/users/0", "passes"),
        ("/apiusers/0", "passes"),
    ] {
        assert_eq!(
            reason(&plugin, &request("GET", target, "")),
            expected,
            "{target}"
        );
    }
}

#[test]
fn a_response_is_held_against_its_status() {
    let plugin = plugin(&json!({ "openapi": small(), "response": { "mode": "enforce" } }));
    let json = ("content-type", "application/json");
    let rate = ("x-rate", "5");
    for (target, status, headers, body, fits) in [
        ("/users/7", 200, &[json, rate][..], r#"{"id":7}"#, true),
        ("/users/7", 200, &[json], r#"{"id":7}"#, false),
        (
            "/users/7",
            200,
            &[json, ("x-rate", "x")],
            r#"{"id":7}"#,
            false,
        ),
        ("/users/7", 200, &[json, rate], r#"{"id":"7"}"#, false),
        (
            "/users/7",
            200,
            &[("content-type", "text/html"), rate],
            "<p>",
            false,
        ),
        ("/users/7", 404, &[], "gone", true),
        ("/users/7", 500, &[], "", false),
        ("/elsewhere", 500, &[], "", true),
    ] {
        let fake = Fake::request("GET", target).with_response(status, headers, body);
        let verdict = plugin.on_response_body(&mut fake.exchange_back());
        assert_eq!(
            verdict == Ok(Verdict::Next),
            fits,
            "{target} {status} {headers:?} {body}"
        );
    }
}

#[test]
fn every_mistake_of_a_document_has_its_pointer() {
    let mut broken = document();
    broken["paths"]["/users/{id}"]["parameters"] =
        json!([{ "$ref": "other.yaml#/a" }, { "in": "body" }]);
    broken["paths"]["/users/{id}"]["put"]["requestBody"] = json!({ "$ref": "#/components/none" });
    broken["paths"]["/users/me"]["get"]["responses"] =
        json!({ "2xx": {}, "200": { "content": { "json": {} } } });
    broken["components"]["schemas"]["User"] = json!({ "type": 1 });
    let told =
        mistakes(&json!({ "openapi": broken, "base_path": "api", "request": { "body": true } }));
    for place in [
        "request: beside openapi only mode can be set",
        "base_path: it starts with a slash",
        "openapi: /paths/~1users~1{id}/parameters/0: \"other.yaml#/a\" leads out of the document",
        "openapi: /paths/~1users~1{id}/parameters/1: `in` is query, header, path or cookie",
        "openapi: /paths/~1users~1{id}/put/requestBody: there is nothing at \"#/components/none\"",
        "openapi: /paths/~1users~1me/get/responses/2xx: \"2xx\" is no status",
        "openapi: /paths/~1users~1me/get/responses/200/content/json: \"json\" is no media type",
        "openapi: /paths/~1files~1{name}.{ext}: the segment \"{name}.{ext}\" holds more than one {name}",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    let told = mistakes(&json!({ "openapi": { "openapi": "3.0.3", "paths": {} } }));
    assert_eq!(
        told,
        "openapi: this is read as OpenAPI 3.1, but it says 3.0.3; convert it first"
    );
    let told = mistakes(&json!({ "openapi": { "openapi": "3.1.0", "paths": {} } }));
    assert_eq!(told, "openapi: /paths: there is no operation");
    assert!(mistakes(&json!({ "openapi": "{" })).starts_with("openapi: it is no JSON"));
}
