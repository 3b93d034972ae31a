//! Requests: what could be read in two ways reaches no upstream, and no header of a client stands for a plugin's.

use portcullis_tests::upstream::echo::Echo;

use super::{UNSUPPORTED, setup, upstream};

type Lines = &'static [(&'static str, &'static str)];

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

const ROUTES: [(&str, &str, &str); 5] = [
    ("api", "\"api\"", "echo"),
    ("validate", "\"validate\"", "echo"),
    ("rewrite", "\"rewrite\"", "echo"),
    ("convert", "\"convert\"", "echo"),
    ("stamp", "\"stamp\"", "echo"),
];

/// An operation that takes forms and JSON.
const DOCUMENT: &str = r#"
[plugin.api]
component = "validate.wasm"
instance = "kept"
grants = { clock = true, random = true }
settings.openapi = { file = "api.json" }
settings.unknown = "pass"
"#;
const OPENAPI: &str = r#"{"openapi":"3.1.0","paths":{"/api/users":{"post":{"responses":{},"requestBody":{"content":{
    "application/json":{"schema":{"type":"object","required":["x"]}},
    "application/x-www-form-urlencoded":{}}}}}}}"#;

/// Lines, and what becomes of `{"evil":1}` by api, validate, rewrite and convert.
const HEADS: [(Lines, [u16; 4]); 12] = [
    (&[JSON], [422, 422, 200, 200]),
    (&[FORM], [200, 200, UNSUPPORTED, 200]),
    // Refused by the gateway itself.
    (&[FORM, JSON], [400; 4]),
    (&[JSON, FORM], [400; 4]),
    (&[JSON, JSON], [400; 4]),
    (
        &[(
            "content-type",
            "application/x-www-form-urlencoded, application/json",
        )],
        [UNSUPPORTED; 4],
    ),
    (
        &[("content-type", "application/x-www-form-urlencoded;")],
        [UNSUPPORTED; 4],
    ),
    (
        &[(
            "content-type",
            "application/json; charset=utf-8; charset=utf-16",
        )],
        [UNSUPPORTED; 4],
    ),
    (&[("content-type", "")], [UNSUPPORTED; 4]),
    (
        &[
            JSON,
            ("content-encoding", "identity"),
            ("content-encoding", "gzip"),
        ],
        [UNSUPPORTED; 4],
    ),
    (
        &[JSON, ("content-encoding", "identity, gzip")],
        [UNSUPPORTED; 4],
    ),
    (&[JSON, ("content-range", "bytes 0-9/20")], [UNSUPPORTED; 4]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_can_be_read_in_two_ways_reaches_nobody() {
    let echo = Echo::start("echo").await;
    let rest = format!("{DOCUMENT}\n{}", upstream("echo", echo.address()));
    let gateway = setup(&ROUTES, &rest)
        .file("api.json", OPENAPI)
        .start()
        .await;
    for (lines, wanted) in HEADS {
        let targets = ["/api/users", "/validate", "/rewrite", "/convert"];
        for (target, wanted) in targets.into_iter().zip(wanted) {
            let served = echo.served();
            let answer = gateway.ask("POST", target, lines, br#"{"evil":1}"#).await;
            // The rule for answers is not what is asked about: an echo has no x.
            let answered = match answer.status {
                502 => 200,
                status => status,
            };
            assert_eq!(answered, wanted, "{target} {lines:?}: {answer:?}");
            assert_eq!(
                echo.served() - served,
                usize::from(wanted == 200),
                "{target} {lines:?}"
            );
        }
    }
    for (method, target, more, wanted) in [
        ("POST", "/api/users/", None, 422),
        ("POST", "/api/Users", None, 422),
        ("POST", "/api/users;v=1", None, 422),
        ("POST", "/api/raids", None, 200),
        (
            "POST",
            "/api/raids",
            Some(("x-http-method-override", "PUT")),
            400,
        ),
    ] {
        let lines: Vec<_> = [JSON].into_iter().chain(more).collect();
        let answer = gateway.ask(method, target, &lines, b"{}").await;
        assert_eq!(
            answer.status, wanted,
            "{method} {target} {more:?}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_client_stands_for_a_plugins() {
    let echo = Echo::start("echo").await;
    let gateway = setup(&ROUTES[4..], &upstream("echo", echo.address()))
        .start()
        .await;
    let sent = [
        ("x-user-id", "1"),
        ("X-User-Id", "2"),
        ("x_user_id", "3"),
        ("x-user_id", "4"),
        ("x-tenant", "root"),
        ("x_tenant", "root"),
        ("x_other", "5"),
    ];
    let answer = gateway.get("/stamp", &sent).await;
    for (name, wanted) in [
        // Nobody was authenticated: there is no value, and no client may say one.
        ("x-user-id", &[][..]),
        ("x_user_id", &[]),
        ("x-user_id", &[]),
        ("x-tenant", &["t"]),
        ("x_tenant", &[]),
        ("x_other", &["5"]),
    ] {
        assert_eq!(answer.saw_all(name), wanted, "{name}");
    }
}
