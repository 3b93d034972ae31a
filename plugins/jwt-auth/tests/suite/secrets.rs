//! Shared secrets: each hash has its tokens, and a secret is as long as the hash.

use jwt_auth::Plan;
use portcullis_sdk::serde_json::{Value, json};

use crate::kit::{ask, encode, plugin, verdict};

/// Long enough for every hash.
const LONG: &str = "a-secret-for-tests-only-of-sixty-four-bytes-and-nothing-beside!!";

/// Made with Python's hmac module: `{"sub":"42","exp":4102444800}` under the secret above.
const TOKENS: [(&str, &str); 3] = [
    (
        "HS256",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.yFjjCUDiuKeyS-6m4Qsu66Ji208ynsJ4VjehymdM9OY",
    ),
    (
        "HS384",
        "eyJhbGciOiJIUzM4NCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.LuCatqQqv7zYtu5HlikQgsqUAC3LZccKGXSrsc4vKqDwv9B4UK-4H55rao_3oAbJ",
    ),
    (
        "HS512",
        "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.uGBSrVcZJ-RjLbwdCBiWIgz_Y28KUg50YdjYTaDZkYLMIViUakMe_BdbVw5oRN2LjfXQNI9USEhc7UlS6wX6Mw",
    ),
];

#[test]
fn each_hash_passes_its_own_tokens_and_no_others() {
    for (algorithm, _) in TOKENS {
        for key in [
            json!({ "secret": LONG }),
            json!({ "jwk": { "kty": "oct", "k": encode(LONG) } }),
            json!({ "jwk": { "kty": "oct", "k": encode(LONG), "alg": algorithm } }),
        ] {
            let plugin = plugin(&json!({ "algorithms": [algorithm], "keys": [key] }).to_string());
            for (other, token) in TOKENS {
                let want = if other == algorithm {
                    "ok"
                } else {
                    "algorithm"
                };
                assert_eq!(verdict(ask(&plugin, token)), want, "{algorithm}: {other}");
            }
        }
    }
}

#[test]
fn the_signature_of_one_hash_is_not_that_of_another() {
    let all = json!({ "algorithms": ["HS256", "HS384", "HS512"], "keys": [{ "secret": LONG }] });
    let plugin = plugin(&all.to_string());
    for (signed, token) in TOKENS {
        let (_, rest) = token.split_once('.').unwrap();
        for (named, _) in TOKENS {
            let header = encode(json!({ "alg": named }).to_string());
            let want = if named == signed { "ok" } else { "signature" };
            let verdict = verdict(ask(&plugin, &format!("{header}.{rest}")));
            assert_eq!(verdict, want, "{signed} under the name of {named}");
        }
    }
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    let told = |algorithm: &str, key: Value| {
        let settings = json!({ "algorithms": [algorithm], "keys": [key] });
        let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
        plan.err().unwrap_or_default()
    };
    for (algorithm, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        for (length, passes) in [(least - 1, false), (least, true), (least + 1, true)] {
            let secret = "s".repeat(length);
            let want = if passes {
                String::new()
            } else {
                format!(
                    "keys[0]: the secret has {length} bytes, {algorithm} needs {least}; make one with `openssl rand \
                     -base64 {least}`"
                )
            };
            for key in [
                json!({ "secret": secret }),
                json!({ "jwk": { "kty": "oct", "k": encode(&secret) } }),
            ] {
                assert_eq!(
                    told(algorithm, key),
                    want,
                    "{algorithm} with {length} bytes"
                );
            }
        }
    }
}
