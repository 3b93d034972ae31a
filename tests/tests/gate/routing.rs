//! Which route a request takes. The rules are a table in the router; this is what a client sees of them.

use portcullis_tests::gateway::Gateway;
use portcullis_tests::upstream::echo::Echo;

const ROUTES: &[(&str, &str)] = &[
    ("exact", r#"path = "/a/b""#),
    ("param", r#"path = "/a/{id}""#),
    ("open", r#"path = "/a/**""#),
    ("prefix", r#"prefix = "/p""#),
    ("hosted", "path = \"/a/b\"\nhost = \"one.test\""),
    ("wild", "path = \"/a/b\"\nhost = \"*.wild.test\""),
    ("posted", "path = \"/m\"\nmethods = [\"POST\"]"),
    ("deleted", "path = \"/m\"\nmethods = [\"DELETE\"]"),
    ("canary", "path = \"/c\"\nheaders = { x-canary = \"1\" }"),
    ("stable", "path = \"/c\""),
    ("beta", "path = \"/q\"\nquery = { beta = true }"),
    ("settled", "path = \"/q\"\nquery = { beta = false }"),
];

/// Method, host, target, header, and where it goes.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    Goes,
);

/// The route it takes, or the status of the refusal.
type Goes = Result<&'static str, u16>;

const CASES: &[Case] = &[
    ("GET", "x.test", "/a/b", None, Ok("exact")),
    ("GET", "x.test", "/a/c", None, Ok("param")),
    ("GET", "x.test", "/a/c/d", None, Ok("open")),
    ("GET", "x.test", "/a", None, Ok("open")),
    ("GET", "x.test", "/ab", None, Err(404)),
    ("GET", "x.test", "/A/b", None, Err(404)),
    ("GET", "x.test", "/a/./x/../b", None, Ok("exact")),
    ("GET", "x.test", "/p", None, Ok("prefix")),
    ("GET", "x.test", "/p/q/r", None, Ok("prefix")),
    ("GET", "x.test", "/pq", None, Err(404)),
    ("GET", "one.test", "/a/b", None, Ok("hosted")),
    ("GET", "ONE.test:8080", "/a/b", None, Ok("hosted")),
    ("GET", "one.test", "/a/c", None, Ok("param")),
    ("GET", "x.wild.test", "/a/b", None, Ok("wild")),
    ("GET", "x.y.wild.test", "/a/b", None, Ok("wild")),
    ("GET", "wild.test", "/a/b", None, Ok("exact")),
    ("POST", "x.test", "/m", None, Ok("posted")),
    ("DELETE", "x.test", "/m", None, Ok("deleted")),
    ("GET", "x.test", "/m", None, Err(405)),
    ("GET", "x.test", "/c", Some(("X-Canary", "1")), Ok("canary")),
    ("GET", "x.test", "/c", Some(("X-Canary", "2")), Ok("stable")),
    ("GET", "x.test", "/c", None, Ok("stable")),
    ("GET", "x.test", "/q?beta=1", None, Ok("beta")),
    ("GET", "x.test", "/q?alpha=1", None, Ok("settled")),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_route_serves() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let mut failures = Vec::new();
    for (method, host, target, header, expected) in CASES {
        let mut headers = vec![("host", *host)];
        headers.extend(header);
        let answer = gateway.ask(method, target, &headers, b"").await;
        let taken = if answer.status == 200 {
            let id = answer.saw("x-request-id");
            let line = gateway
                .log_line(|line| line["request_id"].as_str() == id.as_deref())
                .await;
            Ok(line["route"].as_str().unwrap_or_default().to_owned())
        } else {
            Err(answer.status)
        };
        if taken != expected.map(str::to_owned) {
            failures.push(format!(
                "{method} {host} {target} {header:?}: {taken:?} instead of {expected:?}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_405_lists_every_method_of_the_path() {
    let echo = Echo::start("one").await;
    let gateway = Gateway::start(&toml(&echo)).await;
    let answer = gateway.get("/m", &[]).await;
    let mut allowed: Vec<_> = answer
        .header("allow")
        .unwrap_or_default()
        .split(", ")
        .collect();
    allowed.sort_unstable();
    assert_eq!(
        (answer.status, allowed),
        (405, vec!["DELETE", "POST"]),
        "{answer:?}"
    );
    assert_eq!(answer.json()["type"], "method_not_allowed");
}

fn toml(echo: &Echo) -> String {
    let routes: String = ROUTES
        .iter()
        .map(|(name, keys)| {
            format!("[[route]]\nname = \"{name}\"\n{keys}\npublic = true\nupstream = \"echo\"\n\n")
        })
        .collect();
    format!(
        "[upstream.echo]\nservers = [\"{}\"]\n\n{routes}",
        echo.address()
    )
}
