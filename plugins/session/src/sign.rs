//! Tokens in compact form (RFC 7515 section 7.1), signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use portcullis_sdk::Fault;
use portcullis_sdk::crypto::{Hash, HmacKey};
use portcullis_sdk::serde_json::{Map, Value, json};

/// A key with everything that is the same in each token.
pub struct Signer {
    key: Key,
    /// The first part of the token.
    header: String,
}

enum Key {
    /// HS256.
    Secret(HmacKey),
    /// EdDSA.
    Ed25519(Box<SigningKey>),
}

/// RFC 7518 section 3.2: as long as the hash.
const SHORTEST_SECRET: usize = 32;

/// PKCS #8 around the 32 bytes of an Ed25519 key (RFC 8410 section 7): all that precedes them.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

// === impl Signer ===

impl Signer {
    /// HS256 with the bytes of a text.
    pub fn from_secret(secret: &str, kid: Option<&str>) -> Result<Signer, String> {
        // A stray line break from a secret file would make a valid but wrong key.
        if secret.trim() != secret {
            return Err("begins or ends with white space".to_owned());
        }
        if secret.len() < SHORTEST_SECRET {
            let held = secret.len();
            return Err(format!(
                "has {held} bytes, HS256 needs {SHORTEST_SECRET}; make one with `openssl rand -base64 32`"
            ));
        }
        Ok(Signer {
            key: Key::Secret(HmacKey::new(Hash::Sha256, secret)),
            header: header("HS256", kid),
        })
    }

    /// EdDSA with an Ed25519 key as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str, kid: Option<&str>) -> Result<Signer, String> {
        let bytes = pem_bytes(pem).ok_or(
            "is no Ed25519 key as PEM; make one with `openssl genpkey -algorithm ed25519`",
        )?;
        Ok(Signer {
            key: Key::Ed25519(Box::new(SigningKey::from_bytes(&bytes))),
            header: header("EdDSA", kid),
        })
    }

    /// The token that says `claims`.
    pub fn token(&self, claims: &Map<String, Value>) -> Result<String, Fault> {
        let claims = portcullis_sdk::serde_json::to_vec(claims)
            .map_err(|error| Fault::failed(format!("the claims are not JSON: {error}")))?;
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = match &self.key {
            Key::Secret(key) => URL_SAFE_NO_PAD.encode(key.code(&token)?),
            Key::Ed25519(key) => URL_SAFE_NO_PAD.encode(key.sign(token.as_bytes()).to_bytes()),
        };
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }
}

fn header(algorithm: &str, kid: Option<&str>) -> String {
    let mut header = json!({ "alg": algorithm, "typ": "JWT" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    URL_SAFE_NO_PAD.encode(header.to_string())
}

fn pem_bytes(pem: &str) -> Option<[u8; 32]> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")?
        .strip_suffix("-----END PRIVATE KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    der.strip_prefix(&PKCS8)?.try_into().ok()
}

/// The algorithm, never the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.key {
            Key::Secret(_) => "HS256",
            Key::Ed25519(_) => "EdDSA",
        })
    }
}
