//! Published examples, and tokens of another implementation.

use crate::kit::{self, ask, plugin, verdict};
use portcullis_sdk::serde_json::{Value, from_str, json};
use portcullis_sdk::testing::set_now;
use std::time::Duration;

/// The claims of RFC 7515 appendix A.1 to A.3: issuer "joe", over since 2011.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn joe(algorithm: &str, jwk: &Value, header: &str, signature: &str) {
    let settings = json!({
        "algorithms": [algorithm], "keys": [{ "jwk": jwk }], "id": "iss", "issuer": "joe", "clock_skew": "0s",
        "claims": { "root": "http://example.com/is_root" },
    });
    let plugin = plugin(&settings.to_string());
    let token = format!("{header}.{JOE}.{signature}");
    assert_eq!(verdict(ask(&plugin, &token)), "expired", "{algorithm}");
    set_now(Duration::from_secs(1_300_819_379));
    let caller = ask(&plugin, &token).unwrap();
    assert_eq!(caller.id, "joe");
    assert_eq!(caller.claims, [("root".to_owned(), "true".to_owned())]);
    set_now(Duration::from_secs(1_300_819_380));
    assert_eq!(verdict(ask(&plugin, &token)), "expired", "{algorithm}");
    set_now(Duration::from_secs(1_300_819_379));
    let (first, rest) = signature.split_at(1);
    let other = if first == "A" { "B" } else { "A" };
    let tampered = format!("{header}.{JOE}.{other}{rest}");
    assert_eq!(verdict(ask(&plugin, &tampered)), "signature", "{algorithm}");
}

#[test]
fn rfc_7515_a1_hs256() {
    let jwk = json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" });
    joe(
        "HS256",
        &jwk,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );
}

#[test]
fn rfc_7515_a2_rs256() {
    let jwk = json!({ "kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" });
    joe(
        "RS256",
        &jwk,
        "eyJhbGciOiJSUzI1NiJ9",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
}

#[test]
fn rfc_7515_a3_es256() {
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    joe(
        "ES256",
        &jwk,
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
}

/// RFC 7519 section 6.1: an unsecured token.
#[test]
fn rfc_7519_none_is_refused() {
    let settings =
        json!({ "algorithms": ["HS256"], "keys": [{ "secret": kit::SECRET }], "id": "iss" });
    let plugin = plugin(&settings.to_string());
    set_now(Duration::from_secs(1_300_819_379));
    assert_eq!(
        verdict(ask(&plugin, &format!("eyJhbGciOiJub25lIn0.{JOE}."))),
        "algorithm"
    );
}

/// Their payloads are no claims; that this is what is told means that the signature was right.
#[test]
fn examples_that_sign_plain_text() {
    const FRODO: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
    let cases = [
        // RFC 8037 appendix A.4
        (
            "EdDSA",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
        // RFC 7520 section 4.4
        (
            "HS256",
            json!({ "kty": "oct", "use": "sig", "alg": "HS256", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg" }),
            format!(
                "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.{FRODO}"
            ),
            "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        ),
    ];
    for (algorithm, jwk, message, signature) in cases {
        let plugin =
            plugin(&json!({ "algorithms": [algorithm], "keys": [{ "jwk": jwk }] }).to_string());
        let told = |token: &str| {
            let fault = ask(&plugin, token).unwrap_err();
            fault.refusal().unwrap().logged().unwrap().to_owned()
        };
        assert_eq!(
            told(&format!("{message}.{signature}")),
            "format: the claims",
            "{algorithm}"
        );
        assert_eq!(
            told(&format!("{message}A.{signature}")),
            "signature: no key made it",
            "{algorithm}"
        );
    }
}

#[test]
fn tokens_of_another_implementation_pass_with_pem_and_jwk() {
    let vectors: Value = from_str(include_str!("vectors.json")).unwrap();
    let tokens = vectors["tokens"].as_object().unwrap();
    for (algorithm, token) in tokens {
        let name = match algorithm.as_str() {
            "ES256" => "p256",
            "ES384" => "p384",
            "EdDSA" => "ed25519",
            _ => "rsa",
        };
        let (pem, jwk) = (&vectors["keys"][name], &vectors["jwks"][name]);
        for key in [json!({ "public_key": pem }), json!({ "jwk": jwk })] {
            let plugin = plugin(&json!({ "algorithms": [algorithm], "keys": [key] }).to_string());
            for (other, token) in tokens {
                let want = if other == algorithm {
                    "ok"
                } else {
                    "algorithm"
                };
                assert_eq!(
                    verdict(ask(&plugin, token.as_str().unwrap())),
                    want,
                    "{algorithm} {other}"
                );
            }
        }
        // The signature of one algorithm under the name of another.
        let everything = json!({
            "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"],
            "keys": [{ "public_key": vectors["keys"]["rsa"] }, { "public_key": vectors["keys"]["p256"] },
                { "public_key": vectors["keys"]["p384"] }, { "public_key": vectors["keys"]["ed25519"] }],
        });
        let plugin = plugin(&everything.to_string());
        let (_, rest) = token.as_str().unwrap().split_once('.').unwrap();
        for other in tokens.keys().filter(|other| *other != algorithm) {
            let header = kit::encode(json!({ "alg": other }).to_string());
            assert_eq!(
                verdict(ask(&plugin, &format!("{header}.{rest}"))),
                "signature",
                "{algorithm} {other}"
            );
        }
    }
}

#[test]
fn signatures_of_another_form_are_none() {
    let vectors: Value = from_str(include_str!("vectors.json")).unwrap();
    let settings = json!({ "algorithms": ["PS256", "ES256"], "keys": [
        { "public_key": vectors["keys"]["rsa"] }, { "public_key": vectors["keys"]["p256"] },
    ] });
    let plugin = plugin(&settings.to_string());
    for (name, token) in vectors["wrong"].as_object().unwrap() {
        assert_eq!(
            verdict(ask(&plugin, token.as_str().unwrap())),
            "signature",
            "{name}"
        );
    }
    let header = kit::encode(r#"{"alg":"ES256"}"#);
    // r = s = 0, which some libraries took for right (CVE-2022-21449).
    let zero = format!(
        "{header}.{}.{}",
        kit::encode(kit::claims("")),
        kit::encode([0; 64])
    );
    assert_eq!(verdict(ask(&plugin, &zero)), "signature");
}
