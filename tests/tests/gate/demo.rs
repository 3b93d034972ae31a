//! The contract of the demo: the repository's own gateway.toml in front of its services.

use futures_util::{SinkExt, StreamExt};
use portcullis_tests::client::{Answer, Client};
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::{self, DEMO_TOKEN, authorization, init_data, query_value};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

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
    (Header(USER), "POST", "/api/raids", 405),
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
async fn a_405_names_what_is_allowed() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let cases = [
        ("/public/hello", "GET"),
        ("/api/users/42", "GET, PUT"),
        ("/api/raids", "GET"),
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
async fn no_credential_and_no_token_is_ever_shown() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).env("BOT_TOKEN", SECRET).start().await;
    let credential = telegram::signed(SECRET, USER);
    let value = query_value(&credential);
    let bearer = format!("tma {credential}");
    for target in [
        "/api/users/42",
        "/api/users/43",
        "/nowhere",
        "/public/hello",
    ] {
        gateway.get(target, &[("authorization", &bearer)]).await;
        gateway.get(&format!("{target}?tma={value}"), &[]).await;
    }
    // Refused by the plugin too, whose log line must not quote it.
    let broken = format!("{value}0");
    gateway
        .get(&format!("/api/users/42?tma={broken}"), &[])
        .await;
    gateway.get("/last", &[]).await;
    gateway.log_line(|line| line["path"] == "/last").await;
    let mut said = gateway.everything_said();
    for page in ["/metrics", "/plugins", "/routes"] {
        said += &gateway.admin("GET", page).await.text();
    }
    assert!(
        said.contains("/api/users/43") && said.contains("portcullis_"),
        "{said}"
    );
    for secret in [
        hash_of(&credential),
        SECRET.to_owned(),
        SECRET[11..].to_owned(),
        "tma=".to_owned(),
    ] {
        assert!(!said.contains(&secret), "{secret} is in\n{said}");
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
async fn a_websocket_with_its_credential_in_the_query_is_joined() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let target = format!("/ws/mentions?tma={}", query_value(&init_data(USER)));
    let mut socket = open(&gateway, &target)
        .await
        .expect("the handshake is accepted");
    for text in ["hello", "grüße", &"x".repeat(100_000)] {
        assert!(
            echoes(&mut socket, text).await,
            "no echo of {} bytes",
            text.len()
        );
    }
    drop(socket);
    let line = gateway
        .log_line(|line| line["path"] == "/ws/mentions")
        .await;
    assert_eq!(
        (&line["status"], &line["caller"]),
        (&Value::from(101), &Value::from("42")),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_handshake_opens_no_tunnel() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let stale = telegram::dated(DEMO_TOKEN, USER, telegram::now() - 2 * 86_400);
    for target in [
        "/ws/mentions".to_owned(),
        format!("/ws/mentions?tma={}", query_value(&stale)),
    ] {
        let mut client = Client::connect(gateway.listen.http)
            .await
            .expect("the gateway listens");
        let handshake = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let answer = client
            .ask("GET", &target, &handshake, b"")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 401, "{target}: {answer:?}");
        // A text frame is no HTTP request: nobody may echo it.
        let sent = client.write(b"\x81\x85\0\0\0\0hello").await;
        let back = client.piece().await.unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&back).contains("hello"),
            "{sent:?} {back:?}"
        );
    }
    let tunnels = gateway.admin("GET", "/metrics").await.text();
    let open = tunnels
        .lines()
        .find(|line| line.starts_with("portcullis_websockets"));
    assert!(open.is_none_or(|line| line.ends_with(" 0")), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_leaves_one_line_with_every_key() {
    const KEYS: [&str; 17] = [
        "time",
        "client_ip",
        "method",
        "host",
        "path",
        "status",
        "bytes_in",
        "bytes_out",
        "duration_ms",
        "route",
        "caller",
        "upstream",
        "server",
        "request_id",
        "refusal",
        "because",
        "aborted",
    ];
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let bearer = authorization(USER);
    let body = br#"{"name":"Anna"}"#;
    let answer = gateway
        .ask(
            "PUT",
            "/api/users/42?x=1",
            &[("authorization", &bearer)],
            body,
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = gateway.log_line(|line| line["method"] == "PUT").await;
    let keys: Vec<_> = line
        .as_object()
        .expect("a line is an object")
        .keys()
        .cloned()
        .collect();
    let mut expected = KEYS.to_vec();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let written = [
        "client_ip",
        "host",
        "path",
        "status",
        "bytes_in",
        "route",
        "caller",
        "upstream",
        "refusal",
        "aborted",
    ]
    .map(|key| line[key].clone());
    let same = serde_json::json!([
        "127.0.0.1",
        "gate.test",
        "/api/users/42",
        200,
        body.len(),
        "users",
        "42",
        "users",
        null,
        false
    ]);
    assert_eq!(Value::from(written.to_vec()), same, "{line}");
    assert_eq!(line["bytes_out"], answer.body.len(), "{line}");
    assert_eq!(
        line["request_id"],
        answer.json()["saw"]["x-request-id"],
        "{line}"
    );
    let servers = demo
        .addresses()
        .users
        .iter()
        .map(|at| Value::from(at.to_string()))
        .collect::<Vec<_>>();
    assert!(servers.contains(&line["server"]), "{line}");
    let lines = gateway
        .stdout()
        .lines()
        .filter(|line| line.contains("PUT"))
        .count();
    assert_eq!(lines, 1, "one exchange, one line");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_403_came_is_for_the_log_and_not_for_the_client() {
    let demo = Demo::start().await;
    let gateway = Setup::demo(&demo).start().await;
    let answer = ask(&gateway, Header(USER), "GET", "/api/users/43").await;
    let problem = answer.json();
    let line = gateway
        .log_line(|line| line["path"] == "/api/users/43")
        .await;
    let because = line["because"].as_str().unwrap_or_default();
    assert!(because.contains("rules"), "{line}");
    assert_eq!(
        (&line["status"], &line["refusal"]),
        (&Value::from(403), &Value::from("forbidden")),
        "{line}"
    );
    assert_eq!(
        line["request_id"], problem["request_id"],
        "the two can be brought together"
    );
    let told = problem.as_object().expect("a problem is an object");
    let mut keys: Vec<_> = told.keys().map(String::as_str).collect();
    keys.retain(|key| *key != "detail");
    assert_eq!(keys, ["request_id", "status", "title", "type"]);
    for word in ["role", "{own}", "{id}", "rules", "rbac"] {
        assert!(!answer.text().contains(word), "{answer:?}");
    }
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

async fn open(gateway: &Gateway, target: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(gateway.listen.http)
        .await
        .expect("the gateway listens");
    let opened = tokio_tungstenite::client_async(format!("ws://gate.test{target}"), stream).await;
    opened
        .map(|(socket, _)| socket)
        .map_err(|error| error.to_string())
}

/// Whether a text comes back, among the mentions that come by themselves.
async fn echoes(socket: &mut WebSocketStream<TcpStream>, text: &str) -> bool {
    socket
        .send(Message::text(text))
        .await
        .expect("the tunnel is open");
    for _ in 0..10 {
        match socket.next().await {
            Some(Ok(Message::Text(back))) if back.as_str() == text => return true,
            Some(Ok(_)) => {}
            _ => return false,
        }
    }
    false
}
