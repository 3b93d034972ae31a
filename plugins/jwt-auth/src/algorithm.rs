//! The algorithms, and which kind of key each needs.

use std::fmt;

use portcullis_sdk::schemars::{self, JsonSchema};
use serde::Deserialize;

/// A signature algorithm, by its name in RFC 7518 and RFC 8037. `none` is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA, PKCS #1 v1.5, with SHA-256.
    Rs256,
    /// RSA, PKCS #1 v1.5, with SHA-384.
    Rs384,
    /// RSA, PKCS #1 v1.5, with SHA-512.
    Rs512,
    /// RSA, PSS, with SHA-256.
    Ps256,
    /// RSA, PSS, with SHA-384.
    Ps384,
    /// RSA, PSS, with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A kind of key. A key never serves an algorithm of another kind: that is how a public key would become an
/// HMAC secret that everybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A shared secret.
    Secret,
    /// RSA.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

// === impl Algorithm ===

impl Algorithm {
    const ALL: [(Algorithm, &str, Kind); 12] = [
        (Algorithm::Hs256, "HS256", Kind::Secret),
        (Algorithm::Hs384, "HS384", Kind::Secret),
        (Algorithm::Hs512, "HS512", Kind::Secret),
        (Algorithm::Rs256, "RS256", Kind::Rsa),
        (Algorithm::Rs384, "RS384", Kind::Rsa),
        (Algorithm::Rs512, "RS512", Kind::Rsa),
        (Algorithm::Ps256, "PS256", Kind::Rsa),
        (Algorithm::Ps384, "PS384", Kind::Rsa),
        (Algorithm::Ps512, "PS512", Kind::Rsa),
        (Algorithm::Es256, "ES256", Kind::P256),
        (Algorithm::Es384, "ES384", Kind::P384),
        (Algorithm::EdDsa, "EdDSA", Kind::Ed25519),
    ];

    fn row(self) -> (Algorithm, &'static str, Kind) {
        let row = Self::ALL.iter().find(|(algorithm, ..)| *algorithm == self);
        *row.expect("every algorithm is in the table")
    }

    /// By its exact name; names are case-sensitive (RFC 7515 section 4.1.1).
    pub fn named(name: &str) -> Option<Algorithm> {
        let row = Self::ALL.iter().find(|(_, known, _)| *known == name);
        row.map(|(algorithm, ..)| *algorithm)
    }

    /// The name that tokens carry.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The kind of key that it needs.
    pub fn kind(self) -> Kind {
        self.row().2
    }

    /// The shortest secret in bytes: that of the hash (RFC 7518 section 3.2). 0 where there is no secret.
    pub fn shortest_secret(self) -> usize {
        match self {
            Algorithm::Hs256 => 32,
            Algorithm::Hs384 => 48,
            Algorithm::Hs512 => 64,
            _ => 0,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Kind ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Secret => "a secret",
            Kind::Rsa => "an RSA key",
            Kind::P256 => "a P-256 key",
            Kind::P384 => "a P-384 key",
            Kind::Ed25519 => "an Ed25519 key",
        })
    }
}
