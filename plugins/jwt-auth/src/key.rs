//! Keys: what they may check, and the check.

use std::fmt;

use ed25519_dalek::VerifyingKey as Ed25519Key;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier as _;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::algorithm::{Algorithm, Kind};

/// A key that checks signatures.
#[derive(Debug)]
pub struct Key {
    /// The name that tokens call it by. Without one it fits every token of its kind.
    pub kid: Option<String>,
    /// The only algorithm that it serves; without one, those of its kind.
    pub algorithm: Option<Algorithm>,
    /// The key itself.
    pub material: Material,
}

/// The key itself.
pub enum Material {
    /// A shared secret.
    Secret(Vec<u8>),
    /// RSA.
    Rsa(Box<rsa::PublicKey>),
    /// The curve P-256.
    P256(Box<p256::ecdsa::VerifyingKey>),
    /// The curve P-384.
    P384(Box<p384::ecdsa::VerifyingKey>),
    /// Ed25519.
    Ed25519(Box<Ed25519Key>),
}

// === impl Key ===

impl Key {
    /// Whether a token with this algorithm and key name may be held against this key.
    pub fn fits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        let named = match (&self.kid, kid) {
            (Some(own), Some(kid)) => own == kid,
            _ => true,
        };
        named && self.serves(algorithm)
    }

    /// Whether it is a key for this algorithm.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.material.kind() == algorithm.kind()
            && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether this key signed the message.
    pub fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.serves(algorithm) && self.material.signed(algorithm, message, signature)
    }
}

impl From<Material> for Key {
    fn from(material: Material) -> Key {
        Key {
            kid: None,
            algorithm: None,
            material,
        }
    }
}

// === impl Material ===

impl Material {
    /// What kind of key it is.
    pub fn kind(&self) -> Kind {
        match self {
            Material::Secret(_) => Kind::Secret,
            Material::Rsa(_) => Kind::Rsa,
            Material::P256(_) => Kind::P256,
            Material::P384(_) => Kind::P384,
            Material::Ed25519(_) => Kind::Ed25519,
        }
    }

    /// A pair that is not listed is a key of another kind: false.
    fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Material::Secret(secret), Algorithm::Hs256) => {
                hmac_is::<Hmac<Sha256>>(secret, message, signature)
            }
            (Material::Secret(secret), Algorithm::Hs384) => {
                hmac_is::<Hmac<Sha384>>(secret, message, signature)
            }
            (Material::Secret(secret), Algorithm::Hs512) => {
                hmac_is::<Hmac<Sha512>>(secret, message, signature)
            }
            (Material::Rsa(key), _) => rsa_is(key, algorithm, message, signature),
            (Material::P256(key), Algorithm::Es256) => {
                p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            (Material::P384(key), Algorithm::Es384) => {
                p384::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => {
                // Strict: no signatures of small order, which fit more than one message.
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            _ => false,
        }
    }
}

/// In constant time, and never a shortened one.
fn hmac_is<M: Mac + KeyInit>(secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(secret).is_ok_and(|mut mac| {
        mac.update(message);
        mac.verify_slice(signature).is_ok()
    })
}

/// PSS salts are as long as the hash (RFC 7518 section 3.5), which is what `Pss::new` demands.
fn rsa_is(key: &rsa::PublicKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let (s256, s384, s512) = (Sha256::digest, Sha384::digest, Sha512::digest);
    let checked = match algorithm {
        Algorithm::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &s256(message), signature),
        Algorithm::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &s384(message), signature),
        Algorithm::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &s512(message), signature),
        Algorithm::Ps256 => key.verify(Pss::<Sha256>::new(), &s256(message), signature),
        Algorithm::Ps384 => key.verify(Pss::<Sha384>::new(), &s384(message), signature),
        Algorithm::Ps512 => key.verify(Pss::<Sha512>::new(), &s512(message), signature),
        _ => return false,
    };
    checked.is_ok()
}

/// The kind, never the key.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}
