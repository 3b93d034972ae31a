//! Keys as JSON (RFC 7517, 7518 section 6, 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_sdk::crypto::PublicKey;
use portcullis_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Kind};
use crate::key::{Key, Material};

/// The members that matter to who checks signatures; others are not looked at. No `Debug`: it may hold a secret.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct Jwk {
    /// `oct`, `RSA`, `EC` or `OKP`.
    kty: String,
    /// The name that tokens call it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    /// The only algorithm that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    /// `sig`, if it is there.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    /// With `verify` among them, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    /// The secret of an `oct` key.
    #[serde(default, skip_serializing)]
    k: Option<String>,
    /// The modulus of an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// The exponent of an RSA key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// The curve: `P-256`, `P-384` or `Ed25519`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    /// A point on the curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Its other coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// The private part, which does not belong here.
    #[serde(default, skip_serializing)]
    d: Option<String>,
}

// === impl Jwk ===

impl Jwk {
    /// The kind of key, as far as its words tell.
    pub fn kind(&self) -> Option<Kind> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Some(Kind::Secret),
            ("RSA", _) => Some(Kind::Rsa),
            ("EC", Some("P-256")) => Some(Kind::P256),
            ("EC", Some("P-384")) => Some(Kind::P384),
            ("OKP", Some("Ed25519")) => Some(Kind::Ed25519),
            _ => None,
        }
    }

    /// Whether it is meant for checking signatures.
    pub fn is_for_signatures(&self) -> bool {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(verifies)
    }

    /// The key, or what is wrong with it.
    pub fn key(&self) -> Result<Key, String> {
        if !self.is_for_signatures() {
            return Err("the key is not meant for checking signatures".to_owned());
        }
        if self.d.is_some() {
            return Err("this is a private key; give its public part only".to_owned());
        }
        let kind = self
            .kind()
            .ok_or("kty and crv are not oct, RSA, EC with P-256 or P-384, or OKP with Ed25519")?;
        let algorithm = match &self.alg {
            None => None,
            Some(name) => Some(
                Algorithm::named(name)
                    .filter(|algorithm| algorithm.kind() == kind)
                    .ok_or(format!("alg is no signature algorithm for {kind}"))?,
            ),
        };
        Ok(Key {
            kid: self.kid.clone(),
            algorithm,
            material: self.material(kind)?,
        })
    }

    fn material(&self, kind: Kind) -> Result<Material, String> {
        match kind {
            Kind::Secret => part("k", &self.k).map(Material::Secret),
            Kind::Rsa => rsa(&part("n", &self.n)?, &part("e", &self.e)?),
            Kind::P256 => {
                point(&[4], &part("x", &self.x)?, &part("y", &self.y)?, 32).and_then(|p| p256(&p))
            }
            Kind::P384 => {
                point(&[4], &part("x", &self.x)?, &part("y", &self.y)?, 48).and_then(|p| p384(&p))
            }
            Kind::Ed25519 => ed25519(&part("x", &self.x)?),
        }
    }
}

fn part(name: &str, value: &Option<String>) -> Result<Vec<u8>, String> {
    let text = value.as_ref().ok_or_else(|| format!("{name} is missing"))?;
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| format!("{name} is not base64url without padding"))
}

/// An uncompressed point of SEC 1.
fn point(tag: &[u8], x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, String> {
    if x.len() != length || y.len() != length {
        return Err(format!("x and y are not {length} bytes each"));
    }
    Ok([tag, x, y].concat())
}

/// 2048 to 4096 bits: shorter is weak (RFC 7518 section 3.3), longer is slow.
pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<Material, String> {
    PublicKey::rsa(n, e)
        .map(Material::Public)
        .map_err(|_| "this is no RSA key of 2048 to 4096 bits".to_owned())
}

pub(crate) fn p256(point: &[u8]) -> Result<Material, String> {
    PublicKey::p256(point)
        .map(Material::Public)
        .map_err(|_| "the point is not on the curve P-256".to_owned())
}

pub(crate) fn p384(point: &[u8]) -> Result<Material, String> {
    PublicKey::p384(point)
        .map(Material::Public)
        .map_err(|_| "the point is not on the curve P-384".to_owned())
}

/// A weak key is one that anybody can sign for; the gateway takes none.
pub(crate) fn ed25519(bytes: &[u8]) -> Result<Material, String> {
    PublicKey::ed25519(bytes)
        .map(Material::Public)
        .map_err(|_| "this is no Ed25519 key of 32 bytes".to_owned())
}
