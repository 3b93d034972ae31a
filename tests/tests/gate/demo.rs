//! The contract of the demo: the repository's own gateway.toml in front of its services.

use portcullis_tests::client::Answer;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::{self, DEMO_TOKEN, authorization, init_data, query_value};
use serde_json::Value;

/// Role admin by the gateway.toml's default of `ADMIN_IDS`.
const ADMIN: u64 = 1;
const USER: u64 = 42;
const OTHER: u64 = 43;
/// A token that only the tests of secrecy use, so that finding it means a leak.
const SECRET: &str = "7000000009:secret-token-that-must-never-be-shown";

/// What a client shows of itself.
#[derive(Debug, Clone, Copy)]
enum Shows {
    Nothing,
    Header(u64),
    Query(u64),
    /// Signed with the token of another bot.
    Forged(u64),
    /// Signed two days ago.
    Stale(u64),
    Scheme(&'static str),
}

use Shows::{Forged, Header, Nothing, Query, Scheme, Stale};

const CASES: &[(Shows, &str, &str, u16)] = &[
    (Nothing, "GET", "/public/hello", 200),
    (Header(USER), "GET", "/public/hello", 200),
    (Nothing, "POST", "/public/hello", 405),
    (Nothing, "GET", "/public/news", 200),
    (Nothing, "GET", "/public/limited", 200),
    (Nothing, "GET", "/public", 404),
    (Nothing, "GET", "/", 404),
    (Nothing, "GET", "/api/users/42", 401),
    (Header(USER), "GET", "/api/users/42", 200),
    (Query(USER), "GET", "/api/users/42", 200),
    (Forged(USER), "GET", "/api/users/42", 401),
    (Stale(USER), "GET", "/api/users/42", 401),
    (Scheme("Bearer nothing"), "GET", "/api/users/42", 401),
    (Scheme("tma"), "GET", "/api/users/42", 401),
    (Header(USER), "GET", "/api/users/43", 403),
    (Query(USER), "GET", "/api/users/43", 403),
    (Header(ADMIN), "GET", "/api/users/43", 200),
    (Header(USER), "PUT", "/api/users/42", 200),
    (Header(USER), "PUT", "/api/users/43", 403),
    (Header(ADMIN), "PUT", "/api/users/43", 200),
    (Nothing, "PUT", "/api/users/42", 401),
    (Header(USER), "DELETE", "/api/users/42", 405),
    (Header(USER), "GET", "/api/users", 404),
    (Header(USER), "GET", "/api/users/42/x", 404),
    (Nothing, "GET", "/api/raids", 401),
    (Header(USER), "GET", "/api/raids", 200),
    (Query(USER), "GET", "/api/raids", 200),
    (Nothing, "POST", "/api/raids", 401),
    (Header(USER), "POST", "/api/raids", 400),
    (Nothing, "GET", "/api/dashboard", 401),
    (Header(USER), "GET", "/api/dashboard", 200),
    (Header(USER), "POST", "/api/dashboard", 405),
    (Nothing, "POST", "/api/session", 401),
    (Header(USER), "POST", "/api/session", 200),
    (Nothing, "DELETE", "/api/raids/1", 401),
    (Header(USER), "DELETE", "/api/raids/1", 403),
    (Header(ADMIN), "DELETE", "/api/raids/1", 204),
    (Header(ADMIN), "GET", "/api/raids/1", 405),
    (Nothing, "GET", "/ws/mentions", 401),
    (Forged(USER), "GET", "/ws/mentions", 401),
    // Known and allowed, but no handshake: the service says so itself.
    (Header(USER), "GET", "/ws/mentions", 426),
    (Header(USER), "POST", "/ws/mentions", 405),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_credential_opens_what_it_may_and_nothing_else() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let mut failures = Vec::new();
    for &(shows, method, path, expected) in CASES {
        let answer = ask(&gateway, shows, method, path).await;
        let by_the_service = expected == 426;
        if answer.status != expected {
            failures.push(format!("{shows:?} {method} {path}: {answer:?}"));
        } else if expected >= 400 && !by_the_service {
            failures
                .extend(no_problem(&answer).map(|why| format!("{shows:?} {method} {path}: {why}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_news_are_told_once_in_five_seconds() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let first = gateway.get("/public/news", &[]).await;
    let second = gateway.get("/public/news", &[]).await;
    assert_eq!(
        (first.status, first.json()["told"].as_u64()),
        (200, Some(1)),
        "{first:?}"
    );
    assert_eq!(first.body, second.body);
    assert!(
        second
            .header("cache-status")
            .is_some_and(|status| status.contains("hit")),
        "{second:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_routes_are_served_over_tls_in_both_versions() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let credential = format!("authorization: {}", authorization(USER));
    let cases = [
        ("/public/hello", "200"),
        ("/api/users/42", "200"),
        ("/api/users/7", "403"),
    ];
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for (path, status) in cases {
            let url = format!("https://{}{path}", gateway.listen.https);
            let curl = std::process::Command::new("curl")
                .args(["-sk", flag, "-H", &credential, "-o", "/dev/null"])
                .args(["-w", "%{http_version} %{http_code}", &url])
                .output()
                .expect("curl is installed");
            let said = String::from_utf8_lossy(&curl.stdout).into_owned();
            assert_eq!(said, format!("{version} {status}"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_405_names_what_is_allowed() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let cases = [
        ("/public/hello", "GET"),
        ("/api/users/42", "GET, PUT"),
        ("/api/raids", "GET, POST"),
        ("/api/raids/1", "DELETE"),
        ("/ws/mentions", "GET"),
    ];
    for (path, allowed) in cases {
        let answer = gateway.ask("PATCH", path, &[], b"").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some(allowed)),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_ids_name_the_admins() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).env("ADMIN_IDS", "42,77").start().await;
    for (caller, expected) in [(USER, 200), (77, 200), (ADMIN, 403), (OTHER, 403)] {
        let answer = ask(&gateway, Header(caller), "GET", "/api/users/9").await;
        assert_eq!(answer.status, expected, "caller {caller}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_learns_who_asks_and_never_the_credential() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let credential = init_data(USER);
    let value = query_value(&credential);
    let cases = [
        ("/api/users/42".to_owned(), "/api/users/42"),
        (format!("/api/users/42?tma={value}"), "/api/users/42"),
        (
            format!("/api/users/42?a=1&tma={value}&b=2"),
            "/api/users/42?a=1&b=2",
        ),
    ];
    for (target, expected) in cases {
        let authorization = format!("tma {credential}");
        let spoofed = [
            ("x-user-id", "1"),
            ("X-User-Id", "7"),
            ("authorization", &authorization),
        ];
        let headers = if target.contains("tma=") {
            &spoofed[..2]
        } else {
            &spoofed[..]
        };
        let answer = gateway.get(&target, headers).await;
        let seen = answer.json();
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(
            seen["target"], expected,
            "the credential is taken out of the query"
        );
        assert_eq!(
            seen["saw"]["x-user-id"], "42",
            "a client's own x-user-id does not count"
        );
        assert_eq!(seen["saw"]["authorization"], Value::Null, "{target}");
        assert_eq!(answer.header("x-served-by"), Some("portcullis"));
        assert!(
            !answer.text().contains(&hash_of(&credential)),
            "{target}: {seen}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_token_is_no_good_where_another_is_set() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).env("BOT_TOKEN", SECRET).start().await;
    for (token, expected) in [(SECRET, 200), (DEMO_TOKEN, 401)] {
        let bearer = format!("tma {}", telegram::signed(token, USER));
        let answer = gateway
            .get("/api/users/42", &[("authorization", &bearer)])
            .await;
        assert_eq!(answer.status, expected, "{token}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_requests_in_ten_seconds_pass_and_the_sixth_is_told_when() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    for left in (0..5).rev() {
        let answer = gateway.get("/public/limited", &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let told = answer.header("ratelimit").expect("what is left");
        assert!(
            told.starts_with(&format!("\"client_ip\";r={left};t=")),
            "{told}"
        );
    }
    let answer = gateway.get("/public/limited", &[]).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.json()["type"], "rate_limited");
    let wait = answer
        .header("retry-after")
        .and_then(|text| text.parse().ok());
    assert!(
        wait.is_some_and(|wait: u64| (1..=11).contains(&wait)),
        "{answer:?}"
    );
    assert_eq!(gateway.get("/public/hello", &[]).await.status, 200);
}

// --- helpers ---

async fn ask(gateway: &Gateway, shows: Shows, method: &str, path: &str) -> Answer {
    let (mut target, mut header) = (path.to_owned(), None);
    match shows {
        Nothing => {}
        Header(user) => header = Some(authorization(user)),
        Query(user) => target = format!("{path}?tma={}", query_value(&init_data(user))),
        Forged(user) => header = Some(format!("tma {}", telegram::signed(SECRET, user))),
        Stale(user) => {
            let old = telegram::now() - 2 * 86_400;
            header = Some(format!("tma {}", telegram::dated(DEMO_TOKEN, user, old)));
        }
        Scheme(text) => header = Some(text.to_owned()),
    }
    let headers: Vec<_> = header
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    let body: &[u8] = if method == "PUT" { b"{}" } else { b"" };
    gateway.ask(method, &target, &headers, body).await
}

/// Why an answer is not the problem document of its status (RFC 9457).
fn no_problem(answer: &Answer) -> Option<String> {
    if answer.header("content-type") != Some("application/problem+json") {
        return Some(format!("content-type {:?}", answer.header("content-type")));
    }
    let problem = answer.json();
    let kind = match answer.status {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "route_not_found",
        400 => "invalid_request",
        _ => "method_not_allowed",
    };
    let titled = problem["title"]
        .as_str()
        .is_some_and(|title| !title.is_empty());
    let traced = problem["request_id"]
        .as_str()
        .is_some_and(|id| !id.is_empty());
    let right = problem["type"] == kind && problem["status"] == answer.status && titled && traced;
    (!right).then(|| problem.to_string())
}

/// The signature inside of initData, which stays the same however the rest is written.
fn hash_of(init_data: &str) -> String {
    let pairs = init_data.split('&');
    let hash = pairs.filter_map(|pair| pair.strip_prefix("hash=")).next();
    hash.expect("initData has a hash").to_owned()
}
