//! What an upstream may answer when it is asked for its keys, and how it is asked.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Value, from_str, json};
use portcullis_sdk::testing::answer_upstreams_with;
use portcullis_sdk::upstream::{Answer, Call, CallError};

use crate::key_set::{Upstream, at, checker, jwk, token, unavailable};
use crate::kit::{NOW, ask, plugin, verdict};

fn answer(status: u16, body: &Value) -> Result<Answer, CallError> {
    Ok(Answer {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    })
}

#[test]
fn the_upstream_is_asked_for_json_of_bounded_size_and_time() {
    let calls: Rc<RefCell<Vec<Call>>> = Rc::default();
    let seen = calls.clone();
    answer_upstreams_with(move |call| {
        seen.borrow_mut().push(call.clone());
        answer(200, &json!({ "keys": [jwk("a", 1)] }))
    });
    let plugin = plugin(r#"{"algorithms":["EdDSA"],"issuer":"i","jwks":{"upstream":"auth"}}"#);
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    let wanted = Call::get("auth", "/.well-known/jwks.json")
        .header("accept", "application/json")
        .max_response(262_144)
        .timeout(Duration::from_secs(2));
    assert_eq!(*calls.borrow(), [wanted]);
}

#[test]
fn a_status_other_than_200_brings_no_keys() {
    for status in [201, 204, 304, 404, 500] {
        answer_upstreams_with(move |_| answer(status, &json!({ "keys": [jwk("a", 1)] })));
        let plugin = checker(&format!(r#","store":"of-{status}""#));
        let because = unavailable(ask(&plugin, &token("a", 1)));
        assert_eq!(because, format!("the key set: status {status}"));
    }
}

#[test]
fn a_call_that_the_plugin_may_not_make_is_its_own_fault() {
    for error in [CallError::Budget, CallError::Invalid("why".to_owned())] {
        let given = error.clone();
        answer_upstreams_with(move |_| Err(given.clone()));
        let fault = ask(&checker(""), &token("a", 1)).unwrap_err();
        assert_eq!(fault, Fault::from(error));
    }
}

#[test]
fn a_key_that_the_upstream_means_for_something_else_is_not_used() {
    let keys = |more: Value| {
        let mut key = jwk("a", 1);
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "keys": [key, jwk("b", 2)] })
    };
    let cases = [
        (json!({}), "ok"),
        (json!({ "alg": "EdDSA" }), "ok"),
        (json!({ "key_ops": ["verify"] }), "ok"),
        (json!({ "use": "enc" }), "unknown_key"),
        (json!({ "key_ops": ["encrypt"] }), "unknown_key"),
        (json!({ "alg": "ES256" }), "unknown_key"),
        (json!({ "d": "AAAA" }), "unknown_key"),
    ];
    for (i, (more, want)) in cases.into_iter().enumerate() {
        let upstream = Upstream::with(&[]);
        upstream.says(keys(more.clone()));
        let plugin = checker(&format!(r#","store":"store-{i}""#));
        assert_eq!(verdict(ask(&plugin, &token("b", 2))), "ok", "{more}");
        assert_eq!(verdict(ask(&plugin, &token("a", 1))), want, "{more}");
    }
}

#[test]
fn a_kid_alone_chooses_no_key_of_another_kind() {
    let vectors: Value = from_str(include_str!("vectors.json")).unwrap();
    let of_kind = |name: &str, kid: &str| {
        let mut key = vectors["jwks"][name].clone();
        key["kid"] = kid.into();
        key
    };
    let cases = [
        (json!([of_kind("rsa", "a")]), "unknown_key"),
        (json!([of_kind("p256", "a")]), "unknown_key"),
        (json!([of_kind("rsa", "a"), jwk("b", 1)]), "unknown_key"),
        (json!([of_kind("rsa", "a"), jwk("a", 1)]), "ok"),
        (json!([jwk("a", 1), of_kind("p384", "a")]), "ok"),
        (json!([of_kind("ed25519", "a")]), "signature"),
    ];
    for (i, (keys, want)) in cases.into_iter().enumerate() {
        let upstream = Upstream::with(&[]);
        upstream.says(json!({ "keys": keys }));
        let plugin = checker(&format!(r#","store":"store-{i}""#));
        assert_eq!(verdict(ask(&plugin, &token("a", 1))), want, "{keys}");
    }
}

#[test]
fn a_key_without_a_name_is_tried_with_every_token_of_its_kind() {
    let upstream = Upstream::with(&[]);
    let mut nameless = jwk("", 1);
    nameless.as_object_mut().unwrap().remove("kid");
    upstream.says(json!({ "keys": [nameless] }));
    assert_eq!(verdict(ask(&checker(""), &token("a", 1))), "ok");
    assert_eq!(verdict(ask(&checker(""), &token("a", 2))), "signature");
}

#[test]
fn the_keys_are_asked_for_again_when_refresh_is_over_and_not_before() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker(r#","refresh":"5m""#);
    for (second, calls) in [(0, 1), (299, 0), (300, 1), (599, 0), (600, 1)] {
        at(second);
        assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
        assert_eq!(upstream.calls(), calls, "after {second} s");
    }
}

#[test]
fn another_instance_that_asks_is_waited_for_two_seconds() {
    let upstream = Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    assert_eq!(verdict(ask(&plugin, &token("a", 1))), "ok");
    let asked = (NOW + 30).to_string();
    state::store("jwks")
        .set("asked auth/keys", asked, Duration::from_secs(10))
        .unwrap();
    at(31);
    let because = unavailable(ask(&plugin, &token("b", 2)));
    assert_eq!(because, "the keys are being fetched");
    at(32);
    assert_eq!(verdict(ask(&plugin, &token("b", 2))), "unknown_key");
    assert_eq!(upstream.calls(), 1);
}

#[test]
fn a_store_that_refuses_is_told_to_the_operator() {
    Upstream::with(&[("a", 1)]);
    let plugin = checker("");
    state::store("jwks")
        .set(
            &format!("cold {NOW} auth/keys"),
            "no number",
            Duration::from_secs(2),
        )
        .unwrap();
    let fault = ask(&plugin, &token("a", 1)).unwrap_err();
    assert_eq!(
        fault,
        Fault::failed("the store refused: the value is no number")
    );
}
