//! The key set of an upstream: when it is asked, and what counts meanwhile.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use jwt_auth::JwtAuth;
use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, json};
use portcullis_sdk::testing::{answer_upstreams_with, set_now};
use portcullis_sdk::upstream::{Answer, CallError};

use crate::kit::{NOW, ask, encode, plugin, signed, verdict};

/// An upstream with a key set that tests change.
pub struct Upstream {
    keys: Rc<RefCell<Option<Value>>>,
    calls: Rc<Cell<u32>>,
}

impl Upstream {
    pub fn with(keys: &[(&str, u8)]) -> Upstream {
        let upstream = Upstream {
            keys: Rc::default(),
            calls: Rc::default(),
        };
        upstream.has(keys);
        let (held, calls) = (upstream.keys.clone(), upstream.calls.clone());
        answer_upstreams_with(move |_| {
            calls.set(calls.get() + 1);
            match &*held.borrow() {
                None => Err(CallError::Timeout),
                Some(keys) => Ok(Answer {
                    status: 200,
                    headers: Vec::new(),
                    body: keys.to_string().into_bytes(),
                }),
            }
        });
        upstream
    }

    fn has(&self, keys: &[(&str, u8)]) {
        let keys: Vec<Value> = keys.iter().map(|(kid, seed)| jwk(kid, *seed)).collect();
        self.says(json!({ "keys": keys }));
    }

    pub fn says(&self, body: Value) {
        *self.keys.borrow_mut() = Some(body);
    }

    fn goes_away(&self) {
        *self.keys.borrow_mut() = None;
    }

    pub fn calls(&self) -> u32 {
        self.calls.replace(0)
    }
}

pub fn jwk(kid: &str, seed: u8) -> Value {
    let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": encode(key.to_bytes()) })
}

pub fn token(kid: &str, seed: u8) -> String {
    let header = encode(json!({ "alg": "EdDSA", "kid": kid }).to_string());
    let claims = encode(r#"{"sub":"42","iss":"i","exp":9999999999}"#);
    let message = format!("{header}.{claims}");
    let signature = SigningKey::from_bytes(&[seed; 32]).sign(message.as_bytes());
    format!("{message}.{}", encode(signature.to_bytes()))
}

/// A plugin of its own name in the store.
pub fn checker(more: &str) -> JwtAuth {
    plugin(&format!(
        r#"{{"algorithms":["EdDSA"],"issuer":"i","jwks":{{"upstream":"auth","path":"/keys"{more}}}}}"#
    ))
}

pub fn at(seconds: u64) {
    set_now(Duration::from_secs(NOW + seconds));
}

pub fn unavailable(outcome: Result<Caller, Fault>) -> String {
    let fault = outcome.unwrap_err();
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.reason(), "unavailable");
    assert_eq!(refusal.header_value("retry-after"), Some(b"1".as_slice()));
    refusal.logged().unwrap().to_owned()
}

#[test]
fn the_upstream_is_asked_once_for_all_instances() {
    let upstream = Upstream::with(&[("a", 1), ("b", 2)]);
    for _ in 0..5 {
        // A fresh plugin for each request, as in the gateway.
        assert_eq!(verdict(ask(&checker(""), &token("a", 1))), "ok");
        assert_eq!(verdict(ask(&checker(""), &token("b", 2))), "ok");
        assert_eq!(verdict(ask(&checker(""), &token("a", 2))), "signature");
    }
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn strangers_do_not_make_the_gateway_ask() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    upstream.calls();
    at(5);
    for i in 0..1_000 {
        let outcome = ask(&plugin, &token(&format!("stranger-{i}"), 9));
        assert_eq!(verdict(outcome), "unknown_key");
    }
    assert_eq!(upstream.calls(), 1, "once per cooldown");
    at(14);
    assert_eq!(verdict(ask(&plugin, &token("stranger", 9))), "unknown_key");
    assert_eq!(upstream.calls(), 0);
    at(15);
    assert_eq!(verdict(ask(&plugin, &token("stranger", 9))), "unknown_key");
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_new_key_is_fetched_when_it_is_used_and_an_old_one_goes() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    upstream.has(&[("b", 2)]);
    at(30);
    assert_eq!(
        verdict(ask(&plugin, &token("a", 1))),
        "ok",
        "until the next answer"
    );
    assert_eq!(verdict(ask(&plugin, &token("b", 2))), "ok");
    assert_eq!(
        verdict(ask(&plugin, &token("a", 1))),
        "unknown_key",
        "within the cooldown"
    );
    assert_eq!(upstream.calls(), 2);
    at(650);
    assert_eq!(verdict(ask(&plugin, &token("b", 2))), "ok");
    assert_eq!(upstream.calls(), 1, "after refresh");
}

#[test]
fn old_keys_count_while_the_upstream_is_away_and_not_for_ever() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker(r#","refresh":"1m","stale":"1h""#);
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    upstream.goes_away();
    upstream.calls();
    for second in 60..100 {
        at(second);
        assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    }
    assert_eq!(upstream.calls(), 4, "once per cooldown");
    at(3_599);
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    at(3_600);
    let because = unavailable(ask(&plugin, &token("a", 1)));
    assert!(because.contains("did not answer in time"), "{because}");
    upstream.has(&[("a", 1)]);
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
}

#[test]
fn without_any_keys_the_upstream_is_not_hammered_either() {
    let upstream = Upstream::with(&[]);
    upstream.goes_away();
    let plugin = checker("");
    for _ in 0..100 {
        unavailable(ask(&plugin, &token("a", 1)));
    }
    assert_eq!(upstream.calls(), 8);
}

#[test]
fn who_comes_while_the_keys_are_fetched_is_asked_to_come_again() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    at(30);
    // Another instance has the turn, and its answer is not there yet.
    let asked = (NOW + 30).to_string();
    state::store("jwks")
        .set("asked auth/keys", asked, Duration::from_secs(10))
        .unwrap();
    assert_eq!(
        unavailable(ask(&plugin, &token("b", 2))),
        "the keys are being fetched"
    );
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    at(32);
    assert_eq!(verdict(ask(&plugin, &token("b", 2))), "unknown_key");
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_bad_answer_is_none() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    let bad = [
        json!({}),
        json!([]),
        json!({ "keys": {} }),
        json!({ "keys": [] }),
        json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }),
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA" }, 7] }),
    ];
    for (i, body) in bad.into_iter().enumerate() {
        upstream.says(body);
        at(1_000 * (i as u64 + 1));
        assert_eq!(
            verdict(ask(&plugin, &token("a", 1))),
            "ok",
            "the last good answer counts"
        );
        assert_eq!(upstream.calls(), u32::from(i == 0) + 1);
    }
}

#[test]
fn a_secret_never_comes_from_an_upstream() {
    let upstream = Upstream::with(&[]);
    let secret = "a-secret-that-the-upstream-has-published";
    upstream
        .says(json!({ "keys": [{ "kty": "oct", "kid": "a", "k": encode(secret) }, jwk("b", 2)] }));
    let plugin = plugin(&format!(
        r#"{{"algorithms":["HS256","EdDSA"],"keys":[{{"secret":"{}"}}],"issuer":"i",
        "jwks":{{"upstream":"auth","path":"/keys"}}}}"#,
        crate::kit::SECRET
    ));
    assert_eq!(verdict(ask(&plugin, &token("b", 2))), "ok");
    let claims = r#"{"sub":"42","iss":"i","exp":9999999999}"#;
    let forged = signed(secret, r#"{"alg":"HS256","kid":"a"}"#, claims);
    assert_eq!(verdict(ask(&plugin, &forged)), "signature");
    let ours = signed(crate::kit::SECRET, r#"{"alg":"HS256"}"#, claims);
    assert_eq!(verdict(ask(&plugin, &ours)), "ok");
}

#[test]
fn what_is_not_granted_is_told_to_the_operator() {
    let fault = ask(&checker(""), &token("a", 1)).unwrap_err();
    assert!(
        matches!(&fault, Fault::Failed(why) if why.contains(r#"grants = { upstreams = ["auth"] }"#)),
        "{fault:?}"
    );
}
