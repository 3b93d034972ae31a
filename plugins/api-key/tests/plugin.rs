//! The plugin against the SDK's fake gateway.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use api_key::{ApiKey, Plan};
use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, json};
use portcullis_sdk::testing::{Fake, set_now};
use sha2::{Digest, Sha256};

const NOW: u64 = 1_767_225_660; // 2026-01-01T00:01:00Z
const CI: &str = "game_ci_Jm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEy";
const OLD: &str = "game_old_Jm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEy";
const NEW: &str = "game_new_Jm9vYmFyYmF6cXV4MTIzNDU2Nzg5MDEy";
const SHORT: &str = "short-enough-to-be-guessed";

fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

fn configured(settings: &Value) -> Result<ApiKey, String> {
    ApiKey::configure(settings::parse(&settings.to_string()).unwrap())
}

fn plugin(more: Value) -> ApiKey {
    set_now(Duration::from_secs(NOW));
    let mut settings = json!({ "default_roles": ["service"], "keys": [
        { "id": "ci", "sha256": hash(CI), "roles": ["deploy"], "claims": { "team": "tools" } },
        { "id": "old", "sha256": hash(OLD), "expires": "2026-01-01T00:01:00Z" },
        { "id": "old", "sha256": hash(NEW).to_uppercase(), "expires": "2026-01-01T00:01:01Z", "another": true },
        { "id": "short", "sha256": hash(SHORT) },
    ] });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    configured(&settings).unwrap()
}

fn ask(key: &str) -> Result<Caller, Fault> {
    let fake = Fake::request("GET", "/").with_header("x-api-key", key);
    plugin(json!({})).authenticate(&mut fake.exchange())
}

/// What the client and the log are told.
fn refused(outcome: Result<Caller, Fault>) -> (String, String) {
    let fault = outcome.unwrap_err();
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.reason(), "unauthenticated");
    assert_eq!(
        refusal.header_value("www-authenticate"),
        Some(b"ApiKey".as_slice())
    );
    (
        refusal.told().unwrap().to_owned(),
        refusal.logged().unwrap().to_owned(),
    )
}

#[test]
fn a_key_names_a_caller_and_ends_here() {
    let fake = Fake::request("GET", "/").with_header("X-API-Key", CI);
    let caller = plugin(json!({}))
        .authenticate(&mut fake.exchange())
        .unwrap();
    assert_eq!(
        (caller.id.as_str(), caller.roles),
        ("ci", vec!["service".to_owned(), "deploy".to_owned()])
    );
    assert_eq!(caller.claims, [("team".to_owned(), "tools".to_owned())]);
    assert_eq!(fake.header_text("x-api-key"), None);
}

#[test]
fn a_key_that_is_not_there_is_not_told_from_one_that_has_ended() {
    assert_eq!(ask(NEW).unwrap().id, "old");
    let (bytes, rest) = CI.split_at(CI.len() - 1);
    assert_eq!(rest, "y");
    let cases = [
        (OLD.to_owned(), "expired: \"old\""),
        (format!("{bytes}z"), "unknown"),
        (CI.to_lowercase(), "unknown"),
        (format!("{CI}{CI}"), "unknown"),
        (hash(CI), "unknown"),
        (SHORT.to_owned(), "format"),
        (String::new(), "format"),
        (format!("{CI} "), "format"),
        (format!("{CI},{CI}"), "unknown"),
        (format!("{bytes}\u{e9}"), "format"),
        ("x".repeat(257), "format"),
    ];
    for (key, want) in cases {
        let (told, logged) = refused(ask(&key));
        assert_eq!(
            (told.as_str(), logged.as_str()),
            ("credentials are not valid", want),
            "{key}"
        );
    }
    set_now(Duration::from_secs(NOW + 1));
    assert_eq!(refused(ask_at(NEW, NOW + 1)).1, "expired: \"old\"");
}

fn ask_at(key: &str, now: u64) -> Result<Caller, Fault> {
    let plugin = plugin(json!({}));
    set_now(Duration::from_secs(now));
    let fake = Fake::request("GET", "/").with_header("x-api-key", key);
    plugin.authenticate(&mut fake.exchange())
}

#[test]
fn the_header_and_the_scheme_are_settings() {
    let plugin = plugin(json!({ "header": "x-key", "scheme": "ApiKey" }));
    let requests = [
        Fake::request("GET", "/").with_header("x-key", CI),
        Fake::request("GET", "/").with_header("authorization", format!("ApiKey {CI}")),
        Fake::request("GET", "/").with_header("authorization", format!("apikey  {CI}")),
        Fake::request("GET", "/")
            .with_header("x-key", CI)
            .with_header("authorization", format!("ApiKey {CI}")),
    ];
    for fake in requests {
        assert_eq!(plugin.authenticate(&mut fake.exchange()).unwrap().id, "ci");
        assert_eq!(
            (fake.header_text("x-key"), fake.header_text("authorization")),
            (None, None)
        );
    }
    let others = [
        Fake::request("GET", "/"),
        Fake::request("GET", "/").with_header("x-api-key", CI),
        Fake::request("GET", "/").with_header("authorization", format!("Bearer {CI}")),
        Fake::request("GET", "/").with_header("authorization", format!("ApiKeys {CI}")),
    ];
    for fake in others {
        let (told, logged) = refused(plugin.authenticate(&mut fake.exchange()));
        assert_eq!(
            (told.as_str(), logged.as_str()),
            ("credentials are missing", "missing")
        );
    }
    let beside = Fake::request("GET", "/")
        .with_header("authorization", format!("ApiKey {CI}"))
        .with_header("authorization", "Bearer x");
    assert!(plugin.authenticate(&mut beside.exchange()).is_ok());
    assert_eq!(
        beside.header_text("authorization").as_deref(),
        Some("Bearer x")
    );
}

#[test]
fn two_keys_are_none() {
    let twice = Fake::request("GET", "/")
        .with_header("x-api-key", CI)
        .with_header("x-api-key", NEW);
    assert_eq!(
        refused(plugin(json!({})).authenticate(&mut twice.exchange())).1,
        "several"
    );
    let same = Fake::request("GET", "/")
        .with_header("x-api-key", CI)
        .with_header("x-api-key", CI);
    assert_eq!(
        refused(plugin(json!({})).authenticate(&mut same.exchange())).1,
        "several"
    );
}

#[test]
fn every_mistake_is_told_and_no_key_is() {
    let settings = json!({ "header": "Authorization", "scheme": "a b", "default_roles": ["a,b"], "keys": [
        { "id": "plain", "sha256": CI },
        { "id": "ci", "sha256": hash(CI) },
        { "id": "ci", "sha256": hash(NEW) },
        { "id": "twin", "sha256": hash(CI) },
        { "id": "empty", "sha256": hash("") },
        { "id": "line", "sha256": hash("\n") },
        { "id": "", "sha256": format!("{} ", hash(OLD)), "roles": [""], "claims": { "a": "b\nc" }, "expires": "soon" },
    ] });
    let told = configured(&settings).err().unwrap_or_default();
    let places = [
        "header: this one carries more",
        "scheme:",
        "default_roles: \"a,b\"",
        "keys[0].sha256: these are not 64 hex digits",
        "keys[2].id: \"ci\" has a key already",
        "keys[3].sha256: another key has the same hash",
        "keys[4].sha256: this is the hash of an empty",
        "keys[5].sha256: this is the hash of an empty",
        "keys[6].id: this is no id",
        "keys[6].sha256: these are not",
        "keys[6].roles: \"\"",
        "keys[6].claims.a:",
        "keys[6].expires: this is no date",
    ];
    for place in places {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(
        !told.contains("keys[1]") && !told.contains("game_ci") && !told.contains(&hash(OLD)),
        "{told}"
    );
    let plan = |json: &str| {
        settings::parse(json)
            .and_then(Plan::new)
            .err()
            .unwrap_or_default()
    };
    assert!(plan(r#"{"keys":[]}"#).contains("keys: give at least one"));
    let told = plan(r#"{"keys":[{"id":"a","key":"s3cret"}]}"#);
    assert!(
        told.starts_with("keys[0].key: unknown field") && !told.contains("s3cret"),
        "{told}"
    );
}

#[test]
fn no_hash_is_shown() {
    let shown = format!("{:?}", plugin(json!({})));
    assert!(
        shown.contains("sha256: Key")
            && shown.contains("\"ci\"")
            && !shown.contains(&hash(CI)[..8]),
        "{shown}"
    );
}
