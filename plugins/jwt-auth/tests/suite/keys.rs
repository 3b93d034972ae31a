//! Keys as JSON: which ones are for signatures, and which points are keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_auth::Plan;
use portcullis_sdk::serde_json::{Value, from_str, json};

use crate::kit::{SECRET, encode};

fn told(algorithm: &str, jwk: &Value) -> String {
    let settings = json!({ "algorithms": [algorithm], "keys": [{ "jwk": jwk }] });
    let plan = portcullis_sdk::settings::parse(&settings.to_string()).and_then(Plan::new);
    plan.err().unwrap_or_default()
}

#[test]
fn a_key_is_meant_for_signatures() {
    let refused = "keys[0]: jwk: the key is not meant for checking signatures";
    let cases = [
        (json!({}), ""),
        (json!({ "use": "sig" }), ""),
        (json!({ "use": "enc" }), refused),
        (json!({ "use": "" }), refused),
        (json!({ "key_ops": ["verify"] }), ""),
        (json!({ "key_ops": ["sign", "verify"] }), ""),
        (json!({ "key_ops": ["encrypt"] }), refused),
        (json!({ "key_ops": ["sign"] }), refused),
        (json!({ "key_ops": ["VERIFY"] }), refused),
        (json!({ "key_ops": [] }), refused),
        (json!({ "use": "sig", "key_ops": ["verify"] }), ""),
        (json!({ "use": "sig", "key_ops": ["encrypt"] }), refused),
        (json!({ "use": "enc", "key_ops": ["verify"] }), refused),
    ];
    for (more, want) in cases {
        let mut jwk = json!({ "kty": "oct", "k": encode(SECRET) });
        jwk.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert_eq!(told("HS256", &jwk), want, "{more}");
    }
}

#[test]
fn both_coordinates_have_the_length_of_the_curve() {
    let vectors: Value = from_str(include_str!("vectors.json")).unwrap();
    for (algorithm, name, length) in [("ES256", "p256", 32), ("ES384", "p384", 48)] {
        let good = &vectors["jwks"][name];
        let bytes = |coordinate: &str| {
            let text = good[coordinate].as_str().unwrap();
            URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let (x, y) = (bytes("x"), bytes("y"));
        let shorter = |bytes: &[u8]| bytes[1..].to_vec();
        let longer = |bytes: &[u8]| [&[0], bytes].concat();
        let cases = [
            (x.clone(), y.clone(), true),
            (shorter(&x), y.clone(), false),
            (x.clone(), shorter(&y), false),
            (longer(&x), y.clone(), false),
            (x.clone(), longer(&y), false),
            ([&x[..], &y[..1]].concat(), shorter(&y), false),
            (shorter(&x), longer(&y), false),
        ];
        for (x, y, passes) in cases {
            let mut jwk = good.clone();
            jwk["x"] = encode(&x).into();
            jwk["y"] = encode(&y).into();
            let want = if passes {
                String::new()
            } else {
                format!("keys[0]: jwk: x and y are not {length} bytes each")
            };
            assert_eq!(
                told(algorithm, &jwk),
                want,
                "{name}: {} and {}",
                x.len(),
                y.len()
            );
        }
    }
}

#[test]
fn a_point_is_on_its_curve_and_a_key_is_not_weak() {
    let cases = [
        (
            "ES256",
            json!({ "kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([1; 32]) }),
            "the point is not on the curve P-256",
        ),
        (
            "ES384",
            json!({ "kty": "EC", "crv": "P-384", "x": encode([1; 48]), "y": encode([1; 48]) }),
            "the point is not on the curve P-384",
        ),
        (
            "EdDSA",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([0; 32]) }),
            "this is no Ed25519 key of 32 bytes",
        ),
        (
            "EdDSA",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([7; 31]) }),
            "this is no Ed25519 key of 32 bytes",
        ),
        ("HS256", json!({ "kty": "oct" }), "k is missing"),
    ];
    for (algorithm, jwk, why) in cases {
        assert_eq!(
            told(algorithm, &jwk),
            format!("keys[0]: jwk: {why}"),
            "{jwk}"
        );
    }
}
