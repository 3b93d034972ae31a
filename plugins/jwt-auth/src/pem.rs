//! Public keys as PEM: SubjectPublicKeyInfo (RFC 5280 section 4.1), as `openssl pkey -pubout` writes it.

use spki::der::asn1::{ObjectIdentifier, UintRef};
use spki::der::pem::PemLabel as _;
use spki::der::{Decode as _, Reader as _, SliceReader};
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};

use crate::jwk;
use crate::key::Material;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The key in a PEM text, or what is wrong with it.
pub fn read(text: &str) -> Result<Material, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err(
            "this is a private key; write the public one with `openssl pkey -pubout`".to_owned(),
        );
    }
    if text.contains("BEGIN CERTIFICATE-----") {
        return Err(
            "this is a certificate; write its key with `openssl x509 -pubkey -noout`".to_owned(),
        );
    }
    let (label, der) =
        spki::der::pem::decode_vec(text.trim().as_bytes()).map_err(|_| NO_PEM.to_owned())?;
    if label != SubjectPublicKeyInfoOwned::PEM_LABEL {
        return Err(NO_PEM.to_owned());
    }
    let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| NO_KEY.to_owned())?;
    let key = info.subject_public_key.as_bytes().ok_or(NO_KEY)?;
    let curve = || {
        let parameters = info.algorithm.parameters?;
        parameters.decode_as::<ObjectIdentifier>().ok()
    };
    match info.algorithm.oid {
        RSA => rsa(key),
        EC if curve() == Some(P256) => jwk::p256(key),
        EC if curve() == Some(P384) => jwk::p384(key),
        ED25519 => jwk::ed25519(key),
        _ => Err("the key is none of RSA, P-256, P-384 and Ed25519".to_owned()),
    }
}

const NO_PEM: &str = "this is no PEM text that begins with -----BEGIN PUBLIC KEY-----";
const NO_KEY: &str = "the PEM text holds no public key";

/// RSAPublicKey (RFC 8017 appendix A.1.1).
fn rsa(der: &[u8]) -> Result<Material, String> {
    let (n, e) = numbers(der).map_err(|_| NO_KEY.to_owned())?;
    jwk::rsa(&n, &e)
}

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
