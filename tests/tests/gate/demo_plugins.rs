//! What the demo's plugins of the body do: a raid is checked and converted, the dashboard is made of three answers,
//! a session opens what initData does. With snapshots, as the repository's own gateway.toml says.

use portcullis_tests::client::Answer;
use portcullis_tests::demo::Demo;
use portcullis_tests::gateway::{Gateway, Setup};
use portcullis_tests::telegram::authorization;
use serde_json::{Value, json};

const USER: u64 = 42;

fn user() -> String {
    authorization(USER)
}

async fn raid(gateway: &Gateway, body: &str) -> Answer {
    let credential = user();
    let headers = [
        ("authorization", credential.as_str()),
        ("content-type", "application/json"),
    ];
    gateway
        .ask("POST", "/api/raids", &headers, body.as_bytes())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raid_a_dashboard_and_a_session() {
    let demo = Demo::start().await;
    let gateway = Setup::demo_as_it_is(&demo).start().await;
    raids_are_checked_and_converted(&gateway).await;
    the_dashboard_is_made_of_three_answers(&gateway).await;
    a_session_opens_what_init_data_does(&gateway).await;
    an_old_address_is_rewritten_both_ways(&gateway).await;
    a_service_comes_in_with_its_key(&gateway).await;
}

async fn raids_are_checked_and_converted(gateway: &Gateway) {
    let answer = raid(gateway, r#"{"title": "It's \"on\"", "boost": 100}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.text(), r#"{'title': 'It\'s "on"', 'boost': 100}"#);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let long = format!(r#"{{"title": "{}", "boost": 1}}"#, "x".repeat(81));
    for (body, pointers) in [
        (r#"{"title": "", "boost": 0}"#, &["/title", "/boost"][..]),
        (r#"{"title": "a", "boost": 101}"#, &["/boost"]),
        (r#"{"title": "a", "boost": 1.5}"#, &["/boost"]),
        (r#"{"title": "a", "boost": 1, "more": true}"#, &[""]),
        (r#"{"title": 7}"#, &["/title", ""]),
        (&long, &["/title"]),
    ] {
        let answer = raid(gateway, body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        let problem: Value = serde_json::from_str(&answer.text()).expect("a problem document");
        let errors = problem["errors"].as_array().expect("a list");
        for pointer in pointers {
            let told = errors.iter().any(|error| error["pointer"] == *pointer);
            assert!(told, "{body}: no {pointer:?} in {errors:?}");
        }
    }
    let broken = raid(gateway, r#"{"title": "a", "#).await;
    assert_eq!(broken.status, 400, "{broken:?}");
    let credential = user();
    let text = [
        ("authorization", credential.as_str()),
        ("content-type", "text/plain"),
    ];
    let typed = gateway.ask("POST", "/api/raids", &text, b"{}").await;
    assert_eq!(typed.status, 415, "{typed:?}");
}

async fn the_dashboard_is_made_of_three_answers(gateway: &Gateway) {
    let credential = user();
    let headers = [("authorization", credential.as_str())];
    let answer = gateway.ask("GET", "/api/dashboard", &headers, b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let members: Vec<&String> = page.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["mentions", "raids", "user"]);
    assert_eq!(page["user"]["id"], json!(42), "{page}");
    assert!(
        page["raids"]
            .as_array()
            .is_some_and(|raids| !raids.is_empty())
    );
    assert_eq!(page["mentions"].as_array().map(Vec::len), Some(5));
}

async fn a_session_opens_what_init_data_does(gateway: &Gateway) {
    let credential = user();
    let headers = [("authorization", credential.as_str())];
    let answer = gateway.ask("POST", "/api/session", &headers, b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let session: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let bearer = format!("Bearer {}", session["token"].as_str().expect("a token"));
    for (method, path, expected) in [
        ("GET", "/api/users/42", 200),
        ("GET", "/api/users/43", 403),
        ("GET", "/api/raids", 200),
        ("GET", "/api/dashboard", 200),
        ("GET", "/ws/mentions", 426),
        // A token does not renew itself.
        ("POST", "/api/session", 401),
    ] {
        let headers = [("authorization", bearer.as_str())];
        let answer = gateway.ask(method, path, &headers, b"").await;
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
    }
    let forged = format!("{}x", &bearer[..bearer.len() - 1]);
    let headers = [("authorization", forged.as_str())];
    let answer = gateway.ask("GET", "/api/raids", &headers, b"").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!answer.text().contains("absent"), "{answer:?}");
}

async fn an_old_address_is_rewritten_both_ways(gateway: &Gateway) {
    let credential = user();
    let headers = [("authorization", credential.as_str())];
    let answer = gateway.get("/api/players/42?full=1", &headers).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({ "player": "player 42", "id": 42, "target": "/api/users/42?full=1", "own": true })
    );
    // The rules saw the address that the client asked for.
    for (path, headers, status) in [
        ("/api/players/43", &headers[..], 403),
        ("/api/players/42", &[], 401),
    ] {
        let answer = gateway.get(path, headers).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

/// Of gateway.toml's own hash.
const KEY: &str = "game_bot_DEMO-key-for-local-use-only-0000";

async fn a_service_comes_in_with_its_key(gateway: &Gateway) {
    let answer = gateway.get("/service/raids", &[("x-api-key", KEY)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    assert_eq!(page["asked"], "bot", "{page}");
    assert_eq!(
        page["knows_key"], false,
        "the key ends at the gateway: {page}"
    );
    let credential = user();
    let (wrong, other) = (KEY.replace("bot", "dog"), KEY.to_lowercase());
    for (path, headers, status) in [
        ("/service/raids", vec![], 401),
        ("/service/raids", vec![("x-api-key", wrong.as_str())], 401),
        ("/service/raids", vec![("x-api-key", other.as_str())], 401),
        (
            "/service/raids",
            vec![("authorization", credential.as_str())],
            401,
        ),
        // A key is for services, and players' routes do not know it.
        ("/api/raids", vec![("x-api-key", KEY)], 401),
    ] {
        let answer = gateway.get(path, &headers).await;
        assert_eq!(answer.status, status, "{path} {headers:?}: {answer:?}");
    }
}

/// An upstream that is away is said to be, and the rest is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_away_is_marked() {
    let demo = Demo::start().await;
    let gone = demo.addresses().mentions.to_string();
    let gateway = Setup::demo(&demo).edit(&gone, "127.0.0.1:9").start().await;
    let credential = user();
    let headers = [("authorization", credential.as_str())];
    let answer = gateway.ask("GET", "/api/dashboard", &headers, b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("x-portcullis-partial"),
        Some("mentions;reason=unreachable")
    );
    let page: Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(page["mentions"], json!([]));
    assert_eq!(
        page["_partial"],
        json!([{ "part": "mentions", "reason": "unreachable" }])
    );
    let answer = gateway.ask("GET", "/api/raids", &headers, b"").await;
    assert_eq!(answer.status, 200);
}
