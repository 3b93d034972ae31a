//! The gateway's cryptography, computed here. The names, bounds and errors are those of `wit/`.

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier as _;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use spki::der::asn1::UintRef;
use spki::der::{Decode as _, Reader as _, SliceReader};
use spki::{ObjectIdentifier as Oid, SubjectPublicKeyInfoRef};

use crate::crypto::CryptoError;

const LONGEST_MESSAGE: usize = 1 << 20;
const LONGEST_KEY: usize = 4096;

const RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.1");
const EC: Oid = Oid::new_unwrap("1.2.840.10045.2.1");
const P256: Oid = Oid::new_unwrap("1.2.840.10045.3.1.7");
const P384: Oid = Oid::new_unwrap("1.3.132.0.34");
const ED25519: Oid = Oid::new_unwrap("1.3.101.112");

enum Key {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Rsa(Box<rsa::PublicKey>),
}

pub(crate) fn digest(hash: &str, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    bounded(&[data], &[])?;
    Ok(match hash {
        "sha-1" => Sha1::digest(data).to_vec(),
        "sha-256" => Sha256::digest(data).to_vec(),
        "sha-384" => Sha384::digest(data).to_vec(),
        "sha-512" => Sha512::digest(data).to_vec(),
        _ => return Err(CryptoError::UnknownAlgorithm),
    })
}

pub(crate) fn hmac(hash: &str, key: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    bounded(&[message], key)?;
    if key.is_empty() {
        return Err(CryptoError::Key("is empty".to_owned()));
    }
    match hash {
        "sha-1" => code::<Hmac<Sha1>>(key, message),
        "sha-256" => code::<Hmac<Sha256>>(key, message),
        "sha-384" => code::<Hmac<Sha384>>(key, message),
        "sha-512" => code::<Hmac<Sha512>>(key, message),
        _ => Err(CryptoError::UnknownAlgorithm),
    }
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mac = <M as KeyInit>::new_from_slice(key);
    let mut mac = mac.map_err(|_| CryptoError::Key("cannot be used".to_owned()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}

pub(crate) fn verify_hmac(
    hash: &str,
    key: &[u8],
    message: &[u8],
    code: &[u8],
) -> Result<(), CryptoError> {
    bounded(&[code], &[])?;
    verdict(equal(&hmac(hash, key, message)?, code))
}

pub(crate) fn verify(
    algorithm: &str,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    bounded(&[message, signature], key)?;
    let other = || CryptoError::Key("is not one of the algorithm's kind".to_owned());
    let passed = match (algorithm, read(key)?) {
        ("Ed25519", Key::Ed25519(key)) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        ("ES256", Key::P256(key)) => p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        ("ES384", Key::P384(key)) => p384::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        (_, Key::Rsa(key)) => rsa_passes(algorithm, &key, message, signature).ok_or_else(other)?,
        _ => return Err(other()),
    };
    verdict(passed)
}

/// None: it is no algorithm of RSA. PSS salts are as long as the hash, which is what `Pss::new` demands.
fn rsa_passes(
    algorithm: &str,
    key: &rsa::PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (s256, s384, s512) = (Sha256::digest, Sha384::digest, Sha512::digest);
    let checked = match algorithm {
        "RS256" => key.verify(Pkcs1v15Sign::new::<Sha256>(), &s256(message), signature),
        "RS384" => key.verify(Pkcs1v15Sign::new::<Sha384>(), &s384(message), signature),
        "RS512" => key.verify(Pkcs1v15Sign::new::<Sha512>(), &s512(message), signature),
        "PS256" => key.verify(Pss::<Sha256>::new(), &s256(message), signature),
        "PS384" => key.verify(Pss::<Sha384>::new(), &s384(message), signature),
        "PS512" => key.verify(Pss::<Sha512>::new(), &s512(message), signature),
        _ => return None,
    };
    Some(checked.is_ok())
}

pub(crate) fn key_kind(key: &[u8]) -> Result<String, CryptoError> {
    bounded(&[], key)?;
    let kind = match read(key)? {
        Key::Ed25519(_) => "Ed25519",
        Key::P256(_) => "P-256",
        Key::P384(_) => "P-384",
        Key::Rsa(_) => "RSA",
    };
    Ok(kind.to_owned())
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn verdict(passed: bool) -> Result<(), CryptoError> {
    if passed {
        Ok(())
    } else {
        Err(CryptoError::Mismatch)
    }
}

fn bounded(messages: &[&[u8]], key: &[u8]) -> Result<(), CryptoError> {
    let fits = messages.iter().all(|m| m.len() <= LONGEST_MESSAGE) && key.len() <= LONGEST_KEY;
    if fits {
        Ok(())
    } else {
        Err(CryptoError::TooLarge)
    }
}

fn read(der: &[u8]) -> Result<Key, CryptoError> {
    let bad = |why: &str| CryptoError::Key(why.to_owned());
    let info = SubjectPublicKeyInfoRef::from_der(der)
        .map_err(|_| bad("is no SubjectPublicKeyInfo in DER"))?;
    let key = info.subject_public_key.as_bytes();
    let key = key.ok_or_else(|| bad("is no SubjectPublicKeyInfo in DER"))?;
    let curve = || {
        let parameters = info.algorithm.parameters?;
        parameters.decode_as::<Oid>().ok()
    };
    let read = match info.algorithm.oid {
        RSA => numbers(key).ok().and_then(|(n, e)| {
            let number = |bytes: &[u8]| rsa::BoxedUint::from_be_slice_vartime(bytes);
            rsa::PublicKey::new_with_size_limits(number(&n), number(&e), 2048..=4096)
                .ok()
                .map(|key| Key::Rsa(Box::new(key)))
        }),
        EC if curve() == Some(P256) => p256::ecdsa::VerifyingKey::from_sec1_bytes(key)
            .ok()
            .map(Key::P256),
        EC if curve() == Some(P384) => p384::ecdsa::VerifyingKey::from_sec1_bytes(key)
            .ok()
            .map(Key::P384),
        ED25519 => <&[u8; 32]>::try_from(key)
            .ok()
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).ok())
            .filter(|key| !key.is_weak())
            .map(Key::Ed25519),
        _ => None,
    };
    read.ok_or_else(|| bad("is none of Ed25519, P-256, P-384 and RSA of 2048 to 4096 bits"))
}

/// RSAPublicKey (RFC 8017 appendix A.1.1).
fn numbers(der: &[u8]) -> spki::der::Result<(Vec<u8>, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    let both = reader.sequence(|inner| {
        let n = UintRef::decode(inner)?.as_bytes().to_vec();
        let e = UintRef::decode(inner)?.as_bytes().to_vec();
        Ok::<_, spki::der::Error>((n, e))
    })?;
    reader.finish()?;
    Ok(both)
}
