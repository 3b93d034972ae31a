//! Keys: what they may check, and the check.

use std::fmt;

use portcullis_sdk::crypto::{self, Hash, HmacKey, KeyKind, PublicKey};

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
    /// A public key.
    Public(PublicKey),
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
            Material::Public(key) => match key.kind() {
                KeyKind::Rsa => Kind::Rsa,
                KeyKind::P256 => Kind::P256,
                KeyKind::P384 => Kind::P384,
                KeyKind::Ed25519 => Kind::Ed25519,
            },
        }
    }

    /// A pair that is not listed is a key of another kind: false.
    fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, check(algorithm)) {
            (Material::Secret(secret), Check::Hmac(hash)) => {
                let key = HmacKey::new(hash, secret.as_slice());
                key.verify(message, signature).is_ok()
            }
            (Material::Public(key), Check::Signature(algorithm)) => {
                key.verify(algorithm, message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// What the gateway calls an algorithm.
enum Check {
    Hmac(Hash),
    Signature(crypto::Algorithm),
}

/// PSS salts are as long as the hash (RFC 7518 section 3.5), which is what the gateway demands.
fn check(algorithm: Algorithm) -> Check {
    match algorithm {
        Algorithm::Hs256 => Check::Hmac(Hash::Sha256),
        Algorithm::Hs384 => Check::Hmac(Hash::Sha384),
        Algorithm::Hs512 => Check::Hmac(Hash::Sha512),
        Algorithm::Rs256 => Check::Signature(crypto::Algorithm::Rs256),
        Algorithm::Rs384 => Check::Signature(crypto::Algorithm::Rs384),
        Algorithm::Rs512 => Check::Signature(crypto::Algorithm::Rs512),
        Algorithm::Ps256 => Check::Signature(crypto::Algorithm::Ps256),
        Algorithm::Ps384 => Check::Signature(crypto::Algorithm::Ps384),
        Algorithm::Ps512 => Check::Signature(crypto::Algorithm::Ps512),
        Algorithm::Es256 => Check::Signature(crypto::Algorithm::Es256),
        Algorithm::Es384 => Check::Signature(crypto::Algorithm::Es384),
        Algorithm::EdDsa => Check::Signature(crypto::Algorithm::Ed25519),
    }
}

/// The kind, never the key.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}
