//! The shipped plugins as components, through the same calls as the request's way.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use portcullis_exchange::{Caller, Exchange, RefusalReason, ResponseHead, Target};
use portcullis_runtime::{CallError, Copying, Slot, Spec};
use serde_json::{Value, json};

use crate::{load, spec};

const TOKENS: &str = include_str!("../../../../plugins/jwt-auth/tests/suite/vectors.json");
const VECTORS: &str = include_str!("../../../../plugins/telegram-auth/tests/initdata.json");

#[tokio::test]
async fn telegram_auth_gives_every_vector_its_verdict() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let mut seen = 0;
    for v in vectors["vectors"].as_array().expect("a list") {
        let text = |key: &str| v[key].as_str().unwrap_or_default();
        let bot = match text("mode") {
            "hmac" => json!({ "token": v["token"] }),
            _ => json!({ "bot_id": v["bot_id"], "public_key": v["public_key_hex"] }),
        };
        let settings = json!({
            "bots": [bot],
            "header": "x-init-data",
            "max_age": format!("{}s", v["max_age_s"]),
            "clock_skew": format!("{}s", v["future_skew_s"]),
        });
        // Each vector has settings of its own: a snapshot of each would be compiled for one call.
        let spec = Spec {
            copying: Copying::Never,
            ..spec(&settings.to_string())
        };
        let plugin = load("telegram_auth.wasm", spec)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", text("id")));
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(text("init_data")).expect("a header value");
        headers.insert("x-init-data", value);
        let now_ms = v["now"].as_u64().expect("seconds") * 1000;
        let mut x = Exchange {
            request: headers,
            now_ms,
            ..Exchange::default()
        };
        let verdict = plugin.authenticate(&mut x).await;
        // initData without a user is signed well, but names nobody.
        let has_user = text("init_data").contains("user=");
        match (text("expect"), verdict) {
            ("valid", Ok(caller)) => assert!(!caller.id.is_empty(), "{}", text("id")),
            ("valid", Err(CallError::Refused(refusal))) if !has_user => {
                assert_eq!(refusal.reason, RefusalReason::Unauthenticated);
                assert!(
                    refusal.because.is_some_and(|why| why.contains("user")),
                    "{}",
                    text("id")
                );
            }
            ("invalid", Err(CallError::Refused(refusal))) => {
                assert_eq!(
                    refusal.reason,
                    RefusalReason::Unauthenticated,
                    "{}",
                    text("id")
                );
                assert!(
                    refusal.headers.contains_key("www-authenticate"),
                    "{}",
                    text("id")
                );
            }
            (_, other) => panic!("{} ({}): {other:?}", text("id"), text("why")),
        }
        seen += 1;
    }
    assert!(seen >= 34, "{seen} vectors");
}

/// The same tokens that the plugin's native tests know, under the gateway's own cryptography.
#[tokio::test]
async fn jwt_auth_takes_the_tokens_of_each_algorithm_under_their_key_only() {
    let vectors: Value = serde_json::from_str(TOKENS).expect("JSON");
    let tokens = vectors["tokens"].as_object().expect("tokens");
    assert_eq!(tokens.len(), 9);
    for (algorithm, token) in tokens {
        let name = match algorithm.as_str() {
            "ES256" => "p256",
            "ES384" => "p384",
            "EdDSA" => "ed25519",
            _ => "rsa",
        };
        for key in [
            json!({ "public_key": vectors["keys"][name] }),
            json!({ "jwk": vectors["jwks"][name] }),
        ] {
            let settings = json!({ "algorithms": [algorithm], "keys": [key] });
            let mut spec = Spec {
                copying: Copying::Never,
                ..spec(&settings.to_string())
            };
            spec.grants.imports.upstreams = true;
            spec.grants.imports.stores = true;
            let plugin = load("jwt_auth.wasm", spec).await;
            let plugin = plugin.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
            let token = token.as_str().expect("a token");
            let (signed, signature) = token.rsplit_once('.').expect("three parts");
            let first = if signature.starts_with('A') { "B" } else { "A" };
            let tampered = format!("{signed}.{first}{}", &signature[1..]);
            for (token, passes) in [(token, true), (&tampered, false)] {
                let value = format!("Bearer {token}");
                let mut x = Exchange::default();
                let value = HeaderValue::from_str(&value).expect("a header value");
                x.request.insert("authorization", value);
                match plugin.authenticate(&mut x).await {
                    Ok(caller) => assert!(passes && &*caller.id == "42", "{algorithm}"),
                    Err(CallError::Refused(refusal)) => {
                        let why = refusal.because.unwrap_or_default();
                        assert!(
                            !passes && why.starts_with("signature"),
                            "{algorithm}: {why}"
                        );
                    }
                    Err(other) => panic!("{algorithm}: {other}"),
                }
            }
        }
    }
}

fn caller(id: &str, role: &str) -> Caller {
    Caller {
        id: id.into(),
        roles: vec![role.to_owned()],
        claims: vec![("username".into(), "ann".into())],
    }
}

#[tokio::test]
async fn rbac_decides_by_role_path_and_ownership() {
    let settings = json!({ "roles": {
        "user": { "allow": ["GET,PUT /api/users/{own}", "GET /api/raids"] },
        "admin": { "inherits": ["user"], "allow": ["* /api/users/{id}", "DELETE /api/raids/**"] },
    }});
    let plugin = load("rbac.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    let cases = [
        ("user", Method::GET, "/api/users/7", true),
        ("user", Method::PUT, "/api/users/7", true),
        ("user", Method::GET, "/api/users/8", false),
        ("user", Method::DELETE, "/api/users/7", false),
        ("user", Method::GET, "/api/raids", true),
        ("user", Method::DELETE, "/api/raids/1", false),
        ("user", Method::GET, "/api/raids/", false),
        ("admin", Method::GET, "/api/users/8", true),
        ("admin", Method::GET, "/api/raids", true),
        ("admin", Method::DELETE, "/api/raids/1/x", true),
        ("nobody", Method::GET, "/api/raids", false),
    ];
    for (role, method, path, allowed) in cases {
        let caller = caller("7", role);
        let target = Target::parse(path).expect("a path");
        let mut x = Exchange {
            method: method.clone(),
            target,
            caller: Some(caller.clone()),
            ..Exchange::default()
        };
        match plugin.authorize(&mut x, &caller).await {
            Ok(()) => assert!(allowed, "{role} {method} {path} was allowed"),
            Err(CallError::Refused(refusal)) => {
                assert!(!allowed, "{role} {method} {path} was refused");
                assert_eq!(refusal.reason, RefusalReason::Forbidden);
                assert_eq!(
                    refusal.detail, None,
                    "the client learns nothing of the rules"
                );
                assert!(refusal.because.is_some(), "the log does");
            }
            Err(other) => panic!("{role} {method} {path}: {other}"),
        }
    }
}

#[tokio::test]
async fn headers_sets_adds_and_removes_on_both_messages() {
    let settings = json!({
        "request": {
            "set": { "x-user-id": "${caller.id}", "x-name": "${claim.username}", "x-raid": "${param.id}",
                     "x-tenant": "${claim.tenant}", "x-plan": "${claim.plan:-free}" },
            "add": { "x-tag": "b" },
            "remove": ["authorization"],
        },
        "response": { "set": { "x-request": "${request.id}" }, "remove": ["server"] },
    });
    let plugin = load("headers.wasm", spec(&settings.to_string()))
        .await
        .expect("it loads");
    let mut request = HeaderMap::new();
    for (name, value) in [
        ("authorization", "tma x"),
        ("x-user-id", "1"),
        ("x-tenant", "spoof"),
        ("x-tag", "a"),
    ] {
        request.insert(name, HeaderValue::from_static(value));
    }
    let mut x = Exchange {
        request,
        caller: Some(caller("7", "user")),
        request_id: "r1".into(),
        params: vec![("id".into(), "9".into())],
        ..Exchange::default()
    };
    let mut slot = Slot::default();
    plugin.on_request(&mut x, &mut slot).await.expect("goes on");
    let shown = |headers: &HeaderMap| {
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().expect("text")))
            .collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_eq!(
        shown(&x.request),
        "x-name: ann\nx-plan: free\nx-raid: 9\nx-tag: a\nx-tag: b\nx-user-id: 7"
    );
    let mut headers = HeaderMap::new();
    headers.insert("server", HeaderValue::from_static("x"));
    x.response = Some(ResponseHead {
        status: StatusCode::OK,
        headers,
    });
    plugin
        .on_response(&mut x, &mut slot)
        .await
        .expect("goes on");
    assert_eq!(
        shown(&x.response.expect("still there").headers),
        "x-request: r1"
    );
}
