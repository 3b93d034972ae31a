//! What the settings may say, and what a mistake is told.

use jwt_auth::Plan;
use portcullis_sdk::serde_json::{Value, from_str, json};

use crate::kit::SECRET;

fn told(settings: &Value) -> String {
    let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
    plan.err().unwrap_or_default()
}

fn vectors() -> Value {
    from_str(include_str!("vectors.json")).unwrap()
}

#[test]
fn every_mistake_is_told_and_no_key_is() {
    let vectors = vectors();
    let refused = &vectors["refused_keys"];
    let settings = json!({
        "algorithms": ["HS256", "HS512", "RS256", "ES256"],
        "keys": [
            { "secret": "sh0rt-s3cret" },
            { "secret": format!("{SECRET}\n") },
            { "secret": vectors["keys"]["rsa"] },
            {},
            { "secret": SECRET, "public_key": vectors["keys"]["rsa"] },
            { "public_key": "s3cret, but no PEM" },
            { "public_key": refused["rsa_1024"] },
            { "public_key": refused["secp256k1"] },
            { "public_key": refused["rsa_pkcs1"] },
            { "public_key": refused["private"] },
            { "public_key": "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----" },
            { "public_key": vectors["keys"]["ed25519"] },
            { "jwk": { "kty": "oct", "k": "c2gwcnQ=" } },
            { "jwk": { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" } },
            { "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB" } },
            { "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "ES256" } },
            { "jwk": { "kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc" } },
            { "jwk": { "kty": "EC", "crv": "P-521" } },
            { "secret": SECRET, "algorithm": "HS256", "kid": "a" },
            { "secret": SECRET, "algorithm": "HS256", "kid": "a" },
        ],
        "jwks": { "upstream": "auth", "path": "https://auth.test/keys", "cooldown": "0s", "stale": "1s" },
        "clock_skew": "11m", "max_age": "0s", "cookie": "a b", "query": "", "subprotocol": "", "id": "",
        "default_roles": ["a,b"], "require": [""], "audience": "",
    });
    let told = told(&settings);
    let places = [
        "keys[0]: the secret has 12 bytes, HS256 needs 32",
        "keys[1]: the secret begins or ends",
        "keys[2]: the secret is a PEM text",
        "keys[3]: give it one of",
        "keys[4]: give it one of",
        "keys[5]: this is no PEM text",
        "keys[6]: this is no RSA key of 2048",
        "keys[7]: the key is none of",
        "keys[8]: this is no PEM text",
        "keys[9]: this is a private key",
        "keys[10]: this is a certificate",
        "keys[11]: an Ed25519 key serves none",
        "keys[12]: jwk: k is not base64url",
        "keys[13]: jwk: x and y are not 32",
        "keys[14]: jwk: this is a private key",
        "keys[15]: jwk: alg is no signature algorithm for an RSA key",
        "keys[16]: jwk: the key is not meant",
        "keys[17]: jwk: kty and crv",
        "keys[19]: another key has this kid",
        "jwks.path:",
        "jwks.cooldown:",
        "jwks.stale:",
        "clock_skew:",
        "max_age:",
        "cookie:",
        "query:",
        "subprotocol:",
        "id:",
        "default_roles: \"a,b\"",
        "require:",
        "audience:",
        "issuer: with jwks",
    ];
    for place in places {
        assert!(told.contains(place), "{place} is missing in:\n{told}");
    }
    assert!(!told.contains("keys[18]"), "{told}");
    for secret in ["s3cret", SECRET, "c2gwcnQ", "MC4CAQ"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn every_algorithm_has_a_key_that_is_long_enough() {
    let ask =
        |algorithms: Value, keys: Value| told(&json!({ "algorithms": algorithms, "keys": keys }));
    assert_eq!(ask(json!(["HS256"]), json!([{ "secret": SECRET }])), "");
    assert!(
        ask(json!([]), json!([{ "secret": SECRET }])).contains("algorithms: name at least one")
    );
    assert!(ask(json!(["HS256"]), json!([])).contains("keys: give at least one key"));
    assert!(
        ask(json!(["HS256", "ES256"]), json!([{ "secret": SECRET }])).contains("ES256 has no key")
    );
    let both = ask(json!(["HS256", "HS512"]), json!([{ "secret": SECRET }]));
    assert!(both.contains("40 bytes, HS512 needs 64"), "{both}");
    let bound = ask(
        json!(["HS256", "HS512"]),
        json!([{ "secret": SECRET, "algorithm": "HS256" }]),
    );
    assert!(
        bound.contains("HS512 has no key; it needs a secret"),
        "{bound}"
    );
    let jwks =
        json!({ "algorithms": ["HS256", "ES256"], "issuer": "i", "jwks": { "upstream": "auth" } });
    assert!(
        told(&jwks).contains("HS256 has no key"),
        "a secret never comes from an upstream"
    );
}

#[test]
fn none_is_no_algorithm_and_unknown_keys_are_told() {
    for name in [
        "none", "None", "hs256", "HS1", "RSA-OAEP", "ES512", "ES256K",
    ] {
        let told = told(&json!({ "algorithms": [name], "keys": [{ "secret": SECRET }] }));
        assert!(told.starts_with("algorithms[0]: unknown variant"), "{told}");
    }
    let told = told(&json!({ "algorithms": ["HS256"], "keys": [{ "secrt": SECRET }] }));
    assert!(told.starts_with("keys[0].secrt: unknown field"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_key_is_never_shown() {
    let plugin = crate::kit::with("");
    let shown = format!("{plugin:?}");
    assert!(
        shown.contains("Secret") && !shown.contains("a-secret"),
        "{shown}"
    );
    assert!(!shown.contains("97, 45, 115"), "{shown}");
}
