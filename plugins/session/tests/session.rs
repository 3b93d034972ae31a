//! The plugin against the SDK's fake gateway, and its tokens against jwt-auth.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use jwt_auth::JwtAuth;
use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::Value;
use portcullis_sdk::testing::{Fake, set_now};
use session::{Minted, Plan, Session};
use telegram_auth::{TelegramAuth, sign};

const NOW: u64 = 1_767_225_660;
const SECRET: &str = "a-secret-for-tests-only-of-forty-bytes!!";
/// RFC 8410 section 10.3.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
/// RFC 8410 section 10.1.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn minter(key: &Value) -> Session {
    let mut json = portcullis_sdk::serde_json::json!({
        "issuer": "https://game.example", "audience": "game", "claims": ["username", "language", "gone"], "jti": true,
    });
    json.as_object_mut()
        .unwrap()
        .extend(key.as_object().unwrap().clone());
    Session::configure(settings::parse(&json.to_string()).unwrap()).unwrap()
}

fn checker(key: &str) -> JwtAuth {
    let json = format!(
        r#"{{{key},"issuer":"https://game.example","audience":"game","claims":["username","language"],
        "subprotocol":"bearer","query":"token"}}"#
    );
    JwtAuth::configure(settings::parse(&json).unwrap()).unwrap()
}

/// A caller as telegram-auth makes it, and the session that is minted for it.
fn log_in(session: &Session) -> (Caller, Minted) {
    const BOT: &str = "7000000001:DEMO-token-for-local-use-only-000000";
    let json = format!(r#"{{"bots":[{{"token":"{BOT}"}}],"admin_ids":"42"}}"#);
    let telegram = TelegramAuth::configure(settings::parse(&json).unwrap()).unwrap();
    let fake = Fake::request("POST", "/api/session").with_header(
        "authorization",
        format!("tma {}", sign::init_data(BOT, 42, NOW - 5, &[])),
    );
    let caller = telegram.authenticate(&mut fake.exchange()).unwrap();
    let mut fake = Fake::request("POST", "/api/session")
        .with_attr("caller.id", &caller.id)
        .with_attr("caller.roles", &caller.roles.join(","))
        .with_attr("request.id", "01-request");
    for (name, value) in &caller.claims {
        fake = fake.with_attr(&format!("claim.{name}"), value);
    }
    let minted = session.mint(&fake.exchange(), NOW).unwrap();
    (caller, minted)
}

fn secret() -> Value {
    portcullis_sdk::serde_json::json!({ "secret": SECRET })
}

#[test]
fn the_caller_of_a_session_is_the_caller_of_the_credential() {
    set_now(Duration::from_secs(NOW));
    let by_secret = (
        secret(),
        format!(r#""algorithms":["HS256"],"keys":[{{"secret":"{SECRET}"}}]"#),
    );
    let pem = Value::from(PUBLIC);
    let by_key = (
        portcullis_sdk::serde_json::json!({ "private_key": PRIVATE, "kid": "1" }),
        format!(r#""algorithms":["EdDSA"],"keys":[{{"public_key":{pem},"kid":"1"}}]"#),
    );
    for (mint, check) in [by_secret, by_key] {
        let (caller, minted) = log_in(&minter(&mint));
        let token = minted.token;
        let requests = [
            Fake::request("GET", "/").with_header("authorization", format!("Bearer {token}")),
            Fake::request("GET", &format!("/ws?token={token}")),
            Fake::request("GET", "/ws")
                .with_header("sec-websocket-protocol", format!("chat, bearer.{token}")),
        ];
        for fake in requests {
            let again = checker(&check).authenticate(&mut fake.exchange()).unwrap();
            assert_eq!(
                (again.id, again.roles),
                (caller.id.clone(), caller.roles.clone())
            );
            assert_eq!(
                again.claims,
                [
                    ("username".to_owned(), "user42".to_owned()),
                    ("language".to_owned(), "en".to_owned())
                ]
            );
        }
    }
}

#[test]
fn a_session_ends() {
    set_now(Duration::from_secs(NOW));
    let (_, minted) = log_in(&minter(&secret()));
    let check = checker(&format!(
        r#""clock_skew":"0s","algorithms":["HS256"],"keys":[{{"secret":"{SECRET}"}}]"#
    ));
    let passes = |now: u64| {
        set_now(Duration::from_secs(now));
        let fake = Fake::request("GET", "/")
            .with_header("authorization", format!("Bearer {}", minted.token));
        check.authenticate(&mut fake.exchange()).is_ok()
    };
    assert!(passes(NOW + 899));
    assert!(!passes(NOW + 900));
}

#[test]
fn the_answer_is_not_stored_anywhere() {
    set_now(Duration::from_secs(NOW));
    let fake = Fake::request("POST", "/api/session").with_attr("caller.id", "42");
    let session = minter(&secret());
    let minted = session.mint(&fake.exchange(), NOW).unwrap();
    assert_eq!((minted.token_type, minted.expires_in), ("Bearer", 900));
    let want = Reply::json(200, &minted).unwrap();
    let want = want.header("cache-control", "no-store");
    assert_eq!(session.handle(&mut fake.exchange()).unwrap(), want);
}

#[test]
fn nobody_gets_no_session_and_a_link_makes_none() {
    let fake = Fake::request("POST", "/api/session");
    let fault = minter(&secret()).handle(&mut fake.exchange()).unwrap_err();
    assert_eq!(fault.refusal().unwrap().reason(), "unauthenticated");
    let fake = Fake::request("GET", "/api/session").with_attr("caller.id", "42");
    let fault = minter(&secret()).handle(&mut fake.exchange()).unwrap_err();
    assert_eq!(fault.refusal().unwrap().reason(), "invalid-request");
}

#[test]
fn what_would_not_be_accepted_back_is_not_put_in() {
    set_now(Duration::from_secs(NOW));
    let fake = Fake::request("POST", "/api/session")
        .with_attr("caller.id", "42")
        .with_attr("claim.username", "a\nb")
        .with_attr("claim.language", &"x".repeat(2_000));
    let minted = minter(&secret()).mint(&fake.exchange(), NOW).unwrap();
    let check = checker(&format!(
        r#""algorithms":["HS256"],"keys":[{{"secret":"{SECRET}"}}]"#
    ));
    let fake =
        Fake::request("GET", "/").with_header("authorization", format!("Bearer {}", minted.token));
    assert_eq!(check.authenticate(&mut fake.exchange()).unwrap().claims, []);
}

#[test]
fn every_mistake_is_told_and_no_key_is() {
    let plan = |json: &str| {
        settings::parse(json)
            .and_then(Plan::new)
            .map(|_| ())
            .err()
            .unwrap_or_default()
    };
    let told =
        plan(r#"{"secret":"sh0rt","issuer":"","audience":"","ttl":"25h","claims":["sub","a"]}"#);
    for place in [
        "secret: it has 5 bytes",
        "issuer:",
        "audience:",
        "ttl:",
        "claims: \"sub\"",
    ] {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(!told.contains("sh0rt"), "{told}");
    let with = |key: &str| plan(&format!(r#"{{{key}"issuer":"i","audience":"a"}}"#));
    assert!(with("").contains("give one of the two"));
    assert!(
        with(&format!(r#""secret":"{SECRET}","private_key":"x","#)).contains("give one of the two")
    );
    assert!(with(&format!(r#""secret":"{SECRET}\n","#)).contains("white space"));
    for pem in [
        "",
        "x",
        PUBLIC,
        &PRIVATE.replace("MC4C", "MC4D"),
        &PRIVATE.replace("dVhC", "dVg="),
    ] {
        let told = with(&format!(r#""private_key":{},"#, Value::from(pem)));
        assert!(
            told.starts_with("private_key: it is no Ed25519 key"),
            "{told}"
        );
        assert!(!told.contains("INTuctv5"), "{told}");
    }
}

#[test]
fn a_key_is_never_shown() {
    let shown = format!("{:?}", minter(&secret()));
    assert!(
        !shown.contains("a-secret") && shown.contains("HS256"),
        "{shown}"
    );
}
