//! Keys and tokens of another implementation, and what must not pass.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::*;

fn vectors() -> Value {
    let text = include_str!("../../../../plugins/jwt-auth/tests/suite/vectors.json");
    serde_json::from_str(text).unwrap()
}

fn der(pem: &Value) -> Vec<u8> {
    let lines = pem.as_str().unwrap().lines();
    let body: String = lines.filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

/// The key of this name in the vectors.
fn key(name: &str) -> Vec<u8> {
    der(&vectors()["keys"][name])
}

fn ed25519(point: [u8; 32]) -> Vec<u8> {
    [&ED25519[..], &point].concat()
}

/// Message and signature of a token.
fn signed(token: &Value) -> (String, Vec<u8>) {
    let (message, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
    (
        message.to_owned(),
        URL_SAFE_NO_PAD.decode(signature).unwrap(),
    )
}

/// An algorithm, the name of its key and its message with signature, for each of the vectors.
fn each() -> Vec<(Algorithm, &'static str, String, Vec<u8>)> {
    let vectors = vectors();
    let tokens = vectors["tokens"].as_object().unwrap();
    let one = |(name, token): (&String, &Value)| {
        let name = if name == "EdDSA" { "Ed25519" } else { name };
        let algorithm = Algorithm::named(name).unwrap();
        let key = match algorithm.kind() {
            Kind::Ed25519 => "ed25519",
            Kind::P256 => "p256",
            Kind::P384 => "p384",
            Kind::Rsa => "rsa",
        };
        let (message, signature) = signed(token);
        (algorithm, key, message, signature)
    };
    let all: Vec<_> = tokens.iter().map(one).collect();
    assert_eq!(all.len(), Algorithm::ALL.len(), "one of each algorithm");
    all
}

#[test]
fn each_algorithm_takes_the_signatures_of_its_own_key_only() {
    for (algorithm, name, message, signature) in each() {
        let verify = |key: &[u8], message: &str, signature: &[u8]| {
            super::verify(key, algorithm, message.as_bytes(), signature)
        };
        let own = key(name);
        assert_eq!(verify(&own, &message, &signature), Ok(()), "{algorithm:?}");
        let another = message.clone() + "A";
        let wrong = verify(&own, &another, &signature);
        assert_eq!(wrong, Err(CryptoError::Mismatch), "{algorithm:?}");
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut other = signature.clone();
            other[at] ^= 1;
            let wrong = verify(&own, &message, &other);
            assert_eq!(wrong, Err(CryptoError::Mismatch), "{algorithm:?} {at}");
        }
        for cut in [&signature[1..], &signature[..signature.len() - 1], &[]] {
            let wrong = verify(&own, &message, cut);
            assert_eq!(wrong, Err(CryptoError::Mismatch), "{algorithm:?}");
        }
        for other in ["ed25519", "p256", "p384", "rsa"] {
            let wrong = verify(&key(other), &message, &signature);
            assert!(
                other == name || matches!(wrong, Err(CryptoError::Key(_))),
                "{algorithm:?} {other}: {wrong:?}"
            );
        }
    }
}

#[test]
fn a_signature_of_one_algorithm_is_none_of_another() {
    let all = each();
    for (algorithm, name, message, signature) in &all {
        for (other, ..) in all.iter().filter(|(other, ..)| other != algorithm) {
            let verdict = verify(&key(name), *other, message.as_bytes(), signature);
            assert!(verdict.is_err(), "{algorithm:?} as {other:?}");
        }
    }
}

#[test]
fn other_forms_of_a_signature_do_not_pass() {
    let vectors = vectors();
    for (name, algorithm, key_name) in [
        ("ps256_short_salt", Algorithm::Ps256, "rsa"),
        ("ps256_max_salt", Algorithm::Ps256, "rsa"),
        ("es256_der", Algorithm::Es256, "p256"),
    ] {
        let (message, signature) = signed(&vectors["wrong"][name]);
        let verdict = verify(&key(key_name), algorithm, message.as_bytes(), &signature);
        assert_eq!(verdict, Err(CryptoError::Mismatch), "{name}");
    }
    // r = s = 0, which some libraries took for right (CVE-2022-21449).
    for (algorithm, name, length) in [
        (Algorithm::Es256, "p256", 64),
        (Algorithm::Es384, "p384", 96),
    ] {
        let zero = vec![0; length];
        let verdict = verify(&key(name), algorithm, b"anything", &zero);
        assert_eq!(verdict, Err(CryptoError::Mismatch), "{name}");
    }
}

#[test]
fn a_key_has_a_kind_and_a_shape() {
    for (name, kind) in [
        ("ed25519", Kind::Ed25519),
        ("p256", Kind::P256),
        ("p384", Kind::P384),
        ("rsa", Kind::Rsa),
    ] {
        let good = key(name);
        assert_eq!(kind_of(&good), Ok(kind), "{name}");
        let longer = [&good[..], b"\0"].concat();
        for bad in [&good[..good.len() - 1], &longer, &good[1..], &[]] {
            assert!(kind_of(bad).is_err(), "{name}");
        }
    }
    // Shapes that the library would take: the bare point, and RSAPublicKey (RFC 8017 appendix A.1.1).
    let (point, numbers) = (key("p256").split_off(26), key("rsa").split_off(24));
    for bare in [&[9; 32][..], &point, &numbers] {
        let said = kind_of(bare).err();
        let want = CryptoError::Key("is no SubjectPublicKeyInfo in DER");
        assert_eq!(said, Some(want), "{bare:02x?}");
    }
}

#[test]
fn keys_that_are_refused_in_tokens_are_refused_here() {
    let vectors = vectors();
    let refused = vectors["refused_keys"].as_object().unwrap();
    assert!(!refused.is_empty());
    for (name, pem) in refused {
        if pem.as_str().unwrap().contains("BEGIN PUBLIC KEY") {
            assert!(kind_of(&der(pem)).is_err(), "{name}");
        }
    }
}

#[test]
fn no_bytes_make_a_key_panic_and_no_cut_is_one() {
    for name in ["ed25519", "p256", "p384", "rsa"] {
        let good = key(name);
        for cut in 0..good.len() {
            assert!(kind_of(&good[..cut]).is_err(), "{name} {cut}");
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut broken = good.clone();
                broken[cut] = value;
                let _ = kind_of(&broken);
                let _ = verify(&broken, Algorithm::Es256, b"m", &[1; 64]);
            }
        }
    }
}

/// The table against another library's arithmetic.
#[test]
fn the_points_of_small_order_are_all_weak() {
    for y in SMALL_ORDER {
        for sign in [0, 0x80] {
            let mut point = y;
            point[31] |= sign;
            // 1 and -1 have one x, 0: the library reads them with either sign or not at all.
            if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&point) {
                assert!(key.is_weak(), "{point:02x?}");
            }
            let weak = kind_of(&ed25519(point)).err();
            assert_eq!(
                weak,
                Some(CryptoError::Key("is weak: everybody can sign for it"))
            );
        }
    }
}

/// With the neutral element as key or R, and S = 0, one signature would fit every message.
#[test]
fn a_signature_that_fits_every_message_does_not_pass() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let weak = verify(&ed25519(neutral), Algorithm::Ed25519, b"m", &signature);
    assert!(matches!(weak, Err(CryptoError::Key(_))), "{weak:?}");
    let strong = verify(&key("ed25519"), Algorithm::Ed25519, b"m", &signature);
    assert_eq!(strong, Err(CryptoError::Mismatch));
}

/// RFC 8032 section 7.1, test 2.
#[test]
fn ed25519_is_that_of_the_rfc() {
    let point = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let signature = hex::decode(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    let key = ed25519(point.unwrap().try_into().unwrap());
    let verdict = verify(&key, Algorithm::Ed25519, &[0x72], &signature.unwrap());
    assert_eq!(verdict, Ok(()));
}
