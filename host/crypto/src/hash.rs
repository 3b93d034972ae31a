//! Digests (FIPS 180-4) and HMACs (RFC 2104).

use std::fmt;

use aws_lc_rs::{digest, hmac};

use crate::CryptoError;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A secret, ready to make and check codes. Cheap to clone.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

/// The HMAC of a message.
pub type Code = hmac::Tag;

// === impl Hash ===

impl Hash {
    /// The names of the IANA registry Hash Function Textual Names.
    const ALL: [(&'static str, Hash); 4] = [
        ("sha-256", Hash::Sha256),
        ("sha-1", Hash::Sha1),
        ("sha-384", Hash::Sha384),
        ("sha-512", Hash::Sha512),
    ];

    pub fn named(name: &str) -> Result<Hash, CryptoError> {
        let row = Hash::ALL.iter().find(|(known, _)| *known == name);
        row.map(|(_, hash)| *hash)
            .ok_or(CryptoError::UnknownAlgorithm)
    }

    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }
}

// === impl HmacKey ===

impl HmacKey {
    /// An empty secret is one that everybody knows.
    pub fn new(hash: Hash, secret: &[u8]) -> Result<HmacKey, CryptoError> {
        if secret.is_empty() {
            return Err(CryptoError::Key("is empty"));
        }
        let algorithm = match hash {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        Ok(HmacKey(hmac::Key::new(algorithm, secret)))
    }

    pub fn code(&self, message: &[u8]) -> Code {
        hmac::sign(&self.0, message)
    }

    /// In constant time, and never a shortened code.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> Result<(), CryptoError> {
        hmac::verify(&self.0, message, code).map_err(|_| CryptoError::Mismatch)
    }
}

/// Never the secret.
impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// FIPS 180-4: the examples of NIST for the message "abc".
    #[test]
    fn digests_are_those_of_the_standard() {
        for (name, want) in [
            ("sha-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "sha-256",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "sha-384",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                "sha-512",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let digest = Hash::named(name).unwrap().digest(b"abc");
            assert_eq!(hex::encode(digest), want, "{name}");
        }
    }

    #[test]
    fn a_hash_has_one_name() {
        for name in ["", "sha256", "SHA-256", "sha-224", "md5", "sha-256 "] {
            assert_eq!(
                Hash::named(name),
                Err(CryptoError::UnknownAlgorithm),
                "{name}"
            );
        }
    }

    /// RFC 4231 section 4.3 and, for SHA-1, RFC 2202 section 3: test case 2 of both.
    #[test]
    fn codes_are_those_of_the_rfcs() {
        let message = b"what do ya want for nothing?";
        for (hash, want) in [
            (Hash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Hash::Sha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                Hash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Hash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let key = HmacKey::new(hash, b"Jefe").unwrap();
            let code = key.code(message);
            assert_eq!(hex::encode(code.as_ref()), want, "{hash:?}");
            assert_eq!(key.verify(message, code.as_ref()), Ok(()));
        }
    }

    #[test]
    fn only_the_whole_code_passes() {
        let key = HmacKey::new(Hash::Sha256, b"secret").unwrap();
        let code = key.code(b"message");
        let code = code.as_ref();
        let longer = [code, b"\0"].concat();
        let mut other = code.to_vec();
        other[31] ^= 1;
        for wrong in [&code[..31], &longer, &other, b""] {
            let verdict = key.verify(b"message", wrong);
            assert_eq!(verdict, Err(CryptoError::Mismatch), "{wrong:?}");
        }
        assert!(key.verify(b"massage", code).is_err());
        let other = HmacKey::new(Hash::Sha256, b"another").unwrap();
        assert!(other.verify(b"message", code).is_err());
    }

    #[test]
    fn an_empty_secret_is_none() {
        let key = HmacKey::new(Hash::Sha256, b"");
        assert_eq!(key.err(), Some(CryptoError::Key("is empty")));
    }
}
