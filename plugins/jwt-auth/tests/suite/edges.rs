//! What just passes, and what just does not.

use jwt_auth::Plan;
use portcullis_sdk::serde_json::{Value, json};

use crate::kit::{NOW, SECRET, ask, claims, encode, plugin, signed, token, verdict, with};

#[test]
fn a_token_has_8_kib() {
    let header = r#"{"alg":"HS256"}"#;
    let of_length = |wanted: usize| {
        (0..8_192)
            .map(|pad| claims(&format!(r#","pad":"{}""#, "x".repeat(pad))))
            .find(|claims| encode(header).len() + encode(claims).len() + 2 + 43 == wanted)
            .map(|claims| signed(SECRET, header, &claims))
            .unwrap()
    };
    for (length, want) in [(8_191, "ok"), (8_192, "ok"), (8_193, "format")] {
        let token = of_length(length);
        assert_eq!(token.len(), length);
        assert_eq!(verdict(ask(&with(""), &token)), want, "{length} bytes");
    }
}

#[test]
fn a_kid_has_256_bytes() {
    let kid = "k".repeat(256);
    let settings = json!({ "algorithms": ["HS256"], "keys": [{ "secret": SECRET, "kid": kid }] });
    for (kid, want) in [(kid.clone(), "ok"), (format!("{kid}k"), "format")] {
        let header = json!({ "alg": "HS256", "kid": kid }).to_string();
        let token = signed(SECRET, &header, &claims(""));
        assert_eq!(verdict(ask(&plugin(&settings.to_string()), &token)), want);
    }
}

#[test]
fn a_token_is_tried_with_four_keys() {
    for (count, want) in [(1, "ok"), (4, "ok"), (5, "many_keys")] {
        let secrets = (1..count).map(|i| format!("{i}{SECRET}"));
        let keys: Vec<Value> = secrets
            .chain([SECRET.to_owned()])
            .map(|secret| json!({ "secret": secret }))
            .collect();
        let plugin = plugin(&json!({ "algorithms": ["HS256"], "keys": keys }).to_string());
        assert_eq!(verdict(ask(&plugin, &token(&claims("")))), want, "{count}");
    }
}

#[test]
fn ids_roles_and_claims_have_their_lengths() {
    let text = |length: usize| "x".repeat(length);
    let roles = |count: usize| vec!["r"; count];
    let cases = [
        (json!({ "sub": text(256) }), "ok"),
        (json!({ "sub": text(257) }), "claim"),
        (json!({ "sub": u64::MAX }), "ok"),
        (json!({ "sub": i64::MIN }), "ok"),
        (json!({ "name": text(1_024) }), "ok"),
        (json!({ "name": text(1_025) }), "claim"),
        (json!({ "roles": roles(64) }), "ok"),
        (json!({ "roles": roles(65) }), "claim"),
    ];
    for (more, want) in cases {
        let mut claims = json!({ "sub": "42", "exp": NOW + 60 });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let outcome = ask(&with(r#","claims":["name"]"#), &token(&claims.to_string()));
        assert_eq!(verdict(outcome), want, "{more}");
    }
}

#[test]
fn the_log_reads_by_how_much_a_token_is_off() {
    let cases = [
        ("", json!({ "exp": NOW - 100 }), "expired: 100 s ago"),
        ("", json!({ "exp": NOW - 60 }), "expired: 60 s ago"),
        (
            "",
            json!({ "exp": NOW + 900, "nbf": NOW + 100 }),
            "early: not before 100 s from now",
        ),
        (
            "",
            json!({ "exp": NOW + 900, "iat": NOW + 100 }),
            "future: issued 100 s ahead of the clock",
        ),
        (
            r#","max_age":"1h""#,
            json!({ "exp": NOW + 900, "iat": NOW - 4_000 }),
            "old: issued 4000 s ago",
        ),
    ];
    for (settings, claims, want) in cases {
        let fault = ask(&with(settings), &token(&claims.to_string())).unwrap_err();
        assert_eq!(fault.refusal().unwrap().logged(), Some(want));
    }
}

#[test]
fn an_age_may_be_off_by_the_skew() {
    let settings = r#","max_age":"1h","clock_skew":"1m""#;
    let issued = |at: u64| format!(r#"{{"sub":"42","exp":9999999999,"iat":{at}}}"#);
    for (at, want) in [
        (NOW - 3_660, "ok"),
        (NOW - 3_661, "old"),
        (NOW + 60, "ok"),
        (NOW + 61, "future"),
    ] {
        assert_eq!(verdict(ask(&with(settings), &token(&issued(at)))), want);
    }
}

#[test]
fn settings_have_edges() {
    let many = |count: usize| -> Vec<Value> {
        let secrets = (0..count).map(|i| json!({ "secret": SECRET, "kid": i.to_string() }));
        secrets.collect()
    };
    let path = |length: usize| format!("/{}", "p".repeat(length - 1));
    let keys = |keys: Value| json!({ "keys": keys, "algorithms": ["HS256"] });
    let jwks = |jwks: Value| json!({ "jwks": jwks });
    let cases = [
        (json!({ "clock_skew": "10m" }), ""),
        (json!({ "clock_skew": "601s" }), "clock_skew:"),
        (json!({ "max_age": "1s" }), ""),
        (json!({ "cookie": "a-b_C9" }), ""),
        (json!({ "cookie": "" }), "cookie:"),
        (json!({ "cookie": "a.b" }), "cookie:"),
        (json!({ "query": "token" }), ""),
        (keys(json!(many(32))), ""),
        (keys(json!(many(33))), "keys: at most 32"),
        (jwks(json!({ "path": path(256) })), ""),
        (jwks(json!({ "path": path(257) })), "jwks.path:"),
        (jwks(json!({ "path": "keys" })), "jwks.path:"),
        (jwks(json!({ "path": "/a b" })), "jwks.path:"),
        (jwks(json!({ "path": "/a#b" })), "jwks.path:"),
        (jwks(json!({ "cooldown": "10m" })), ""),
        (jwks(json!({ "cooldown": "1s" })), ""),
        (jwks(json!({ "cooldown": "601s" })), "jwks.cooldown:"),
        (jwks(json!({ "cooldown": "0s" })), "jwks.cooldown:"),
        (jwks(json!({ "stale": "10m" })), ""),
        (jwks(json!({ "stale": "599s" })), "jwks.stale:"),
        (jwks(json!({ "stale": "30d" })), ""),
        (jwks(json!({ "stale": "2592001s" })), "jwks.stale:"),
    ];
    for (more, want) in cases {
        let mut settings =
            json!({ "algorithms": ["EdDSA"], "issuer": "i", "jwks": { "upstream": "auth" } });
        merge(&mut settings, &more);
        let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
        let told = plan.err().unwrap_or_default();
        assert!(
            told.starts_with(want) && told.is_empty() == want.is_empty(),
            "{more}: {told}"
        );
    }
}

/// Puts `more` into `base`, table into table.
fn merge(base: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        match (base.get_mut(name), value) {
            (Some(inner @ Value::Object(_)), Value::Object(_)) => merge(inner, value),
            _ => base[name] = value.clone(),
        }
    }
}

#[test]
fn a_kid_names_one_key_of_a_kind() {
    let told = |keys: Value, algorithms: Value| {
        let settings = json!({ "algorithms": algorithms, "keys": keys });
        let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
        plan.err().unwrap_or_default()
    };
    let secret = |kid: Value| json!({ "secret": SECRET, "kid": kid });
    let ed = json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "kid": "a",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" } });
    let one = json!(["HS256"]);
    assert_eq!(
        told(json!([secret(json!("a")), secret(json!("a"))]), one.clone()),
        "keys[1]: another key has this kid"
    );
    let nameless = json!([secret(Value::Null), secret(Value::Null)]);
    assert_eq!(told(nameless, one.clone()), "");
    assert_eq!(
        told(json!([secret(json!("a")), secret(json!("b"))]), one),
        ""
    );
    let both = json!(["HS256", "EdDSA"]);
    assert_eq!(told(json!([secret(json!("a")), ed]), both), "");
}
