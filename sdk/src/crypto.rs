//! Digests, HMACs and signatures, computed by the gateway, in constant time where a secret is involved. Needs
//! `grants = { crypto = true }`.
//!
//! What is checked has passed if and only if the result is `Ok`. The gateway keeps nothing between calls, so keys may
//! be made in `configure`.
//!
//! ```
//! use portcullis_sdk::crypto::{CryptoError, Hash, HmacKey};
//!
//! # fn demo() -> Result<(), CryptoError> {
//! // A webhook whose body is signed with a shared secret.
//! let key = HmacKey::new(Hash::Sha256, "a secret that both sides know");
//! let code = key.code(b"the body")?;
//! assert_eq!(key.verify(b"the body", &code), Ok(()));
//! assert_eq!(key.verify(b"another body", &code), Err(CryptoError::Mismatch));
//! # Ok(())
//! # }
//! # demo().unwrap();
//! ```

use std::fmt;

use crate::wire::crypto as wire;
use crate::{Fault, Refusal};

/// Why something is not valid. `?` makes a refusal of [`Mismatch`](CryptoError::Mismatch) and a failure of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CryptoError {
    /// The code or signature is not that of this key over this message.
    Mismatch,
    /// The gateway is older than this SDK and does not know the algorithm.
    UnknownAlgorithm,
    /// The key cannot be used; what is wrong with it.
    Key(String),
    /// Data of more than 1 MiB, or a key of more than 4 KiB.
    TooLarge,
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// For protocols that demand it; nothing new should.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// A secret that makes and checks HMACs (RFC 2104).
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey {
    hash: Hash,
    secret: Vec<u8>,
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032); signatures have 64 bytes. `EdDSA` in JSON Web Tokens.
    Ed25519,
    /// ECDSA on P-256 with SHA-256; signatures are r and s, 32 bytes each (RFC 7518 section 3.4).
    Es256,
    /// ECDSA on P-384 with SHA-384; r and s of 48 bytes.
    Es384,
    /// RSA, PKCS #1 v1.5, with SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, with SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, with SHA-512.
    Rs512,
    /// RSA, PSS, with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// RSA, PSS, with SHA-384 and a salt of 48 bytes.
    Ps384,
    /// RSA, PSS, with SHA-512 and a salt of 64 bytes.
    Ps512,
}

/// A kind of public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// For [`Algorithm::Ed25519`].
    Ed25519,
    /// For [`Algorithm::Es256`].
    P256,
    /// For [`Algorithm::Es384`].
    P384,
    /// For the six algorithms of RSA; 2048 to 4096 bits.
    Rsa,
}

/// A public key that the gateway takes.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    /// SubjectPublicKeyInfo (RFC 5280 section 4.1).
    der: Vec<u8>,
}

/// Whether two secrets are the same, in a time that only depends on their lengths.
pub fn equal(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    wire::equal(a.as_ref(), b.as_ref())
}

// === impl CryptoError ===

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CryptoError::Mismatch => f.write_str("the signature does not fit"),
            CryptoError::UnknownAlgorithm => f.write_str("the gateway does not know the algorithm"),
            CryptoError::Key(why) => write!(f, "the key {why}"),
            CryptoError::TooLarge => f.write_str("the message or the key is too large"),
        }
    }
}

impl std::error::Error for CryptoError {}

impl From<CryptoError> for Fault {
    fn from(error: CryptoError) -> Fault {
        match error {
            CryptoError::Mismatch => Refusal::unauthenticated().because(error.to_string()).into(),
            other => Fault::failed(other.to_string()),
        }
    }
}

// === impl Hash ===

impl Hash {
    /// The digest of at most 1 MiB.
    pub fn digest(self, data: impl AsRef<[u8]>) -> Result<Vec<u8>, CryptoError> {
        wire::digest(self.name(), data.as_ref())
    }

    fn name(self) -> &'static str {
        match self {
            Hash::Sha1 => "sha-1",
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }
}

// === impl HmacKey ===

impl HmacKey {
    /// Of a secret of at most 4 KiB. An empty one neither makes nor checks a code.
    pub fn new(hash: Hash, secret: impl Into<Vec<u8>>) -> HmacKey {
        HmacKey {
            hash,
            secret: secret.into(),
        }
    }

    /// The code of a message of at most 1 MiB, as long as the hash.
    pub fn code(&self, message: impl AsRef<[u8]>) -> Result<Vec<u8>, CryptoError> {
        wire::hmac(self.hash.name(), &self.secret, message.as_ref())
    }

    /// Whether this is the whole code of the message, in constant time.
    pub fn verify(
        &self,
        message: impl AsRef<[u8]>,
        code: impl AsRef<[u8]>,
    ) -> Result<(), CryptoError> {
        wire::verify_hmac(
            self.hash.name(),
            &self.secret,
            message.as_ref(),
            code.as_ref(),
        )
    }

    /// The bytes of the secret.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

/// Never the secret.
impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacKey({:?})", self.hash)
    }
}

// === impl Algorithm ===

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "Ed25519",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
        }
    }
}

// === impl PublicKey ===

impl PublicKey {
    /// A SubjectPublicKeyInfo in DER, as `openssl pkey -pubout -outform DER` writes it. The gateway checks it now, so
    /// make keys in `configure`.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Result<PublicKey, CryptoError> {
        let der = der.into();
        let kind = match wire::key_kind(&der)?.as_str() {
            "Ed25519" => KeyKind::Ed25519,
            "P-256" => KeyKind::P256,
            "P-384" => KeyKind::P384,
            "RSA" => KeyKind::Rsa,
            _ => {
                return Err(CryptoError::Key(
                    "is of a kind that this SDK does not know".to_owned(),
                ));
            }
        };
        Ok(PublicKey { kind, der })
    }

    /// The 32 bytes of an Ed25519 key (RFC 8032 section 5.1.5).
    pub fn ed25519(point: impl AsRef<[u8]>) -> Result<PublicKey, CryptoError> {
        Self::of_kind(KeyKind::Ed25519, der::info(&der::ED25519, point.as_ref()))
    }

    /// A point on P-256, compressed or not (SEC 1 section 2.3.3). Of a JWK it is the byte 4, then `x`, then `y`.
    pub fn p256(point: impl AsRef<[u8]>) -> Result<PublicKey, CryptoError> {
        Self::of_kind(KeyKind::P256, der::info(&der::P256, point.as_ref()))
    }

    /// A point on P-384, compressed or not.
    pub fn p384(point: impl AsRef<[u8]>) -> Result<PublicKey, CryptoError> {
        Self::of_kind(KeyKind::P384, der::info(&der::P384, point.as_ref()))
    }

    /// Modulus and exponent of an RSA key, as big-endian numbers: `n` and `e` of a JWK.
    pub fn rsa(
        modulus: impl AsRef<[u8]>,
        exponent: impl AsRef<[u8]>,
    ) -> Result<PublicKey, CryptoError> {
        let numbers = [
            der::number(modulus.as_ref()),
            der::number(exponent.as_ref()),
        ];
        let key = der::wrapped(der::SEQUENCE, &numbers.concat());
        Self::of_kind(KeyKind::Rsa, der::info(&der::RSA, &key))
    }

    fn of_kind(kind: KeyKind, der: Vec<u8>) -> Result<PublicKey, CryptoError> {
        let key = Self::from_der(der)?;
        if key.kind == kind {
            Ok(key)
        } else {
            Err(CryptoError::Key("is of another kind".to_owned()))
        }
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether the private part of this key signed the message. An algorithm of another kind is an error.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: impl AsRef<[u8]>,
        signature: impl AsRef<[u8]>,
    ) -> Result<(), CryptoError> {
        wire::verify(
            algorithm.name(),
            &self.der,
            message.as_ref(),
            signature.as_ref(),
        )
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind)
    }
}

/// As much of DER (X.690) as public keys need.
mod der {
    pub(super) const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;

    // AlgorithmIdentifiers, whole.
    /// RFC 8410 section 3.
    pub(super) const ED25519: [u8; 7] = [SEQUENCE, 5, 0x06, 3, 0x2b, 0x65, 0x70];
    /// RFC 5480 section 2.1.1: id-ecPublicKey and secp256r1.
    pub(super) const P256: [u8; 21] = [
        SEQUENCE, 19, 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce,
        0x3d, 3, 1, 7,
    ];
    /// With secp384r1.
    pub(super) const P384: [u8; 18] = [
        SEQUENCE, 16, 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 4, 0, 0x22,
    ];
    /// RFC 3279 section 2.3.1: rsaEncryption, with its NULL.
    pub(super) const RSA: [u8; 15] = [
        SEQUENCE, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0,
    ];

    pub(super) fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
        let bits = wrapped(BIT_STRING, &[&[0], key].concat());
        wrapped(SEQUENCE, &[algorithm, &bits].concat())
    }

    pub(super) fn number(bytes: &[u8]) -> Vec<u8> {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = &bytes[zeros..];
        // A number whose first bit is set would be a negative one, and none at all is no number.
        let sign: &[u8] = match bytes.first() {
            Some(0..0x80) => &[],
            _ => &[0],
        };
        wrapped(INTEGER, &[sign, bytes].concat())
    }

    /// A longer content than any key has gets a length that is cut off, which no reader takes.
    pub(super) fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
        let [.., high, low] = content.len().to_be_bytes();
        let mut out = match content.len() {
            0..0x80 => vec![tag, low],
            0x80..0x100 => vec![tag, 0x81, low],
            _ => vec![tag, 0x82, high, low],
        };
        out.extend_from_slice(content);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_parts_is_the_key_of_its_der() {
        // RFC 8032 section 7.1, test 2.
        let point = [
            0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b,
            0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1,
            0x2a, 0xf4, 0x66, 0x0c,
        ];
        let key = PublicKey::ed25519(point).expect("a key");
        assert_eq!(key.kind(), KeyKind::Ed25519);
        assert_eq!(PublicKey::from_der(key.der.clone()), Ok(key));
    }

    #[test]
    fn what_is_no_key_is_an_error() {
        assert!(matches!(
            PublicKey::ed25519([0; 32]),
            Err(CryptoError::Key(_))
        ));
        assert!(matches!(
            PublicKey::ed25519([7; 31]),
            Err(CryptoError::Key(_))
        ));
        assert!(matches!(PublicKey::p256([4; 65]), Err(CryptoError::Key(_))));
        assert!(matches!(PublicKey::p384([4; 97]), Err(CryptoError::Key(_))));
        assert!(matches!(PublicKey::rsa([], []), Err(CryptoError::Key(_))));
        assert!(matches!(
            PublicKey::rsa([0xff; 128], [1, 0, 1]),
            Err(CryptoError::Key(_))
        ));
        assert_eq!(
            PublicKey::rsa(vec![0xff; 70_000], [3]),
            Err(CryptoError::TooLarge)
        );
        let empty = HmacKey::new(Hash::Sha256, "");
        assert!(matches!(empty.code("a"), Err(CryptoError::Key(_))));
    }

    #[test]
    fn only_a_signature_that_does_not_fit_is_a_refusal() {
        let refusal = |error: CryptoError| {
            let fault = Fault::from(error);
            fault.refusal().map(|refusal| refusal.reason().to_owned())
        };
        assert_eq!(
            refusal(CryptoError::Mismatch).as_deref(),
            Some("unauthenticated")
        );
        assert_eq!(refusal(CryptoError::TooLarge).as_deref(), None);
    }

    #[test]
    fn numbers_are_positive_and_have_no_zeros_in_front() {
        for (bytes, want) in [
            (&[1, 0, 1][..], &[2, 3, 1, 0, 1][..]),
            (&[0, 0, 3], &[2, 1, 3]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[], &[2, 1, 0]),
        ] {
            assert_eq!(der::number(bytes), want);
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let key = HmacKey::new(Hash::Sha512, "hush");
        assert_eq!(format!("{key:?}"), "HmacKey(Sha512)");
    }

    #[test]
    fn too_much_is_an_error_and_a_digest_is_that_of_the_data() {
        let much = vec![0; (1 << 20) + 1];
        assert_eq!(Hash::Sha256.digest(&much), Err(CryptoError::TooLarge));
        let digest = Hash::Sha1.digest("abc").expect("little");
        assert_eq!((digest.len(), digest[0]), (20, 0xa9));
        assert!(equal("a", "a") && !equal("a", "b"));
    }
}
