//! What is written down of an exchange, and what never is.

use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::Setup;
use portcullis_tests::telegram::{self, authorization, query_value};
use serde_json::Value;

const USER: u64 = 42;
/// A token that only this test uses, so that finding it means a leak.
const SECRET: &str = "7000000009:secret-token-that-must-never-be-shown";

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_leaves_one_line_with_every_key() {
    const KEYS: [&str; 20] = [
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
        "cache",
        "request_id",
        "refusal",
        "limit",
        "limited",
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
    let answer = gateway
        .get("/api/users/43", &[("authorization", &authorization(USER))])
        .await;
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

/// The signature inside of initData, which stays the same however the rest is written.
fn hash_of(init_data: &str) -> String {
    let pairs = init_data.split('&');
    let hash = pairs.filter_map(|pair| pair.strip_prefix("hash=")).next();
    hash.expect("initData has a hash").to_owned()
}
