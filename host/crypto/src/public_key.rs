//! Public keys, and signatures under them.

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::CryptoError;

/// A signature algorithm, by its name in JOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Ed25519,
    Es256,
    Es384,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
}

/// What kind of key an algorithm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa,
}

/// RFC 8410 section 4: all that precedes the 32 bytes of the key.
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Shorter is weak (RFC 7518 section 3.3), longer is slow.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The y coordinates of the points of small order, as they may be encoded: with and without p added, the sign's bit
/// left out. One that begins with 0xec to 0xee is p-1 to p+1.
const SMALL_ORDER: [[u8; 32]; 7] = {
    const fn near_p(first: u8) -> [u8; 32] {
        let mut y = [0xff; 32];
        y[0] = first;
        y[31] = 0x7f;
        y
    }
    const fn number(first: u8) -> [u8; 32] {
        let mut y = [0; 32];
        y[0] = first;
        y
    }
    [
        number(0),
        number(1),
        near_p(0xec),
        near_p(0xed),
        near_p(0xee),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

// === impl Algorithm ===

impl Algorithm {
    const ALL: [(&'static str, Algorithm); 9] = [
        ("Ed25519", Algorithm::Ed25519),
        ("ES256", Algorithm::Es256),
        ("ES384", Algorithm::Es384),
        ("RS256", Algorithm::Rs256),
        ("RS384", Algorithm::Rs384),
        ("RS512", Algorithm::Rs512),
        ("PS256", Algorithm::Ps256),
        ("PS384", Algorithm::Ps384),
        ("PS512", Algorithm::Ps512),
    ];

    pub fn named(name: &str) -> Result<Algorithm, CryptoError> {
        let row = Algorithm::ALL.iter().find(|(known, _)| *known == name);
        row.map(|(_, algorithm)| *algorithm)
            .ok_or(CryptoError::UnknownAlgorithm)
    }

    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Algorithm::Ed25519 => &signature::ED25519,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        }
    }

    pub fn kind(self) -> Kind {
        match self {
            Algorithm::Ed25519 => Kind::Ed25519,
            Algorithm::Es256 => Kind::P256,
            Algorithm::Es384 => Kind::P384,
            _ => Kind::Rsa,
        }
    }
}

// === impl Kind ===

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Ed25519 => "Ed25519",
            Kind::P256 => "P-256",
            Kind::P384 => "P-384",
            Kind::Rsa => "RSA",
        }
    }
}

/// The kind of a public key: a SubjectPublicKeyInfo (RFC 5280 section 4.1).
pub fn kind_of(key: &[u8]) -> Result<Kind, CryptoError> {
    const NONE: CryptoError =
        CryptoError::Key("is none of Ed25519, P-256, P-384 and RSA of 2048 to 4096 bits");
    let algorithm = match checked_info(key)? {
        info if info.starts_with(&ED25519) => Algorithm::Ed25519,
        info if PublicEncryptingKey::from_der(info).is_ok() => Algorithm::Rs256,
        info if parsed(info, Algorithm::Es256).is_ok() => Algorithm::Es256,
        _ => Algorithm::Es384,
    };
    parsed(key, algorithm).map_err(|error| match error {
        OTHER_KIND => NONE,
        error => error,
    })?;
    Ok(algorithm.kind())
}

/// Whether the private part of this key signed the message.
pub fn verify(
    key: &[u8],
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let parsed = parsed(key, algorithm)?;
    // That S is below the order of the group, the library checks itself.
    if algorithm == Algorithm::Ed25519 && signature.get(..32).is_some_and(is_small) {
        return Err(CryptoError::Mismatch);
    }
    let verdict = parsed.verify_sig(message, signature);
    verdict.map_err(|_| CryptoError::Mismatch)
}

/// The key, for this algorithm and no other.
fn parsed(key: &[u8], algorithm: Algorithm) -> Result<ParsedPublicKey, CryptoError> {
    let info = checked_info(key)?;
    match algorithm.kind() {
        Kind::Ed25519 => checked_point(info.strip_prefix(&ED25519).ok_or(OTHER_KIND)?)?,
        Kind::Rsa => {
            let key = PublicEncryptingKey::from_der(info);
            checked_bits(&key.map_err(|_| OTHER_KIND)?)?;
        }
        Kind::P256 | Kind::P384 => {}
    }
    ParsedPublicKey::new(algorithm.verifier(), info).map_err(|_| OTHER_KIND)
}

const OTHER_KIND: CryptoError = CryptoError::Key("is not one of the algorithm's kind");

fn checked_point(point: &[u8]) -> Result<(), CryptoError> {
    if point.len() != 32 {
        return Err(CryptoError::Key("has not 32 bytes"));
    }
    if is_small(point) {
        return Err(CryptoError::Key("is weak: everybody can sign for it"));
    }
    Ok(())
}

fn checked_bits(key: &PublicEncryptingKey) -> Result<(), CryptoError> {
    if RSA_BITS.contains(&key.key_size_bits()) {
        Ok(())
    } else {
        Err(CryptoError::Key("has not 2048 to 4096 bits"))
    }
}

/// Neither the point nor the signature is secret: this need not take constant time.
fn is_small(point: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(point) else {
        return false;
    };
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

/// One SEQUENCE, nothing behind it, that begins with another. The library takes keys in other shapes too, which are
/// not those of the contract.
fn checked_info(key: &[u8]) -> Result<&[u8], CryptoError> {
    const SEQUENCE: u8 = 0x30;
    const NONE: CryptoError = CryptoError::Key("is no SubjectPublicKeyInfo in DER");
    let (length, inside) = match key {
        [SEQUENCE, length, inside @ ..] if *length < 0x80 => (usize::from(*length), inside),
        [SEQUENCE, 0x81, length, inside @ ..] => (usize::from(*length), inside),
        [SEQUENCE, 0x82, high, low, inside @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), inside)
        }
        _ => return Err(NONE),
    };
    if inside.len() == length && inside.first() == Some(&SEQUENCE) {
        Ok(key)
    } else {
        Err(NONE)
    }
}

#[cfg(test)]
mod tests;
