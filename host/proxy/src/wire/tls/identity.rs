//! A certificate with its key, checked before it is shown to anybody.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Part, Unusable, provider};
use crate::ground::clock::since_1970;
use crate::ground::registry::clamped;

/// What one end of a connection says it is.
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// Lower case; the DNS names that the certificate is for.
    names: Vec<String>,
    not_after: i64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// From PEM. Refuses a key of another certificate, and a certificate that is not valid now.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Identity, Unusable> {
        let bad = |message: String| Unusable {
            part: Part::Certificate,
            message,
            hint: "the file must hold the certificate in PEM, then those between it and the authority",
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| bad(format!("not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(bad("there is no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| Unusable {
            part: Part::Key,
            message: match error {
                rustls::pki_types::pem::Error::NoItemsFound => {
                    "there is no private key in it".to_owned()
                }
                error => format!("not PEM: {error}"),
            },
            hint: "the file must hold the key in PEM, without a password",
        })?;
        Identity::new(chain, key)
    }

    /// Made here and now, for development: nobody has a reason to trust it.
    pub fn self_signed(names: &[String]) -> Result<Identity, Unusable> {
        let (certificate, key) = made_for(names).map_err(|error| Unusable {
            part: Part::Certificate,
            message: format!("a certificate for these names cannot be made: {error}"),
            hint: "write names and addresses: [\"localhost\", \"127.0.0.1\"]",
        })?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Identity::new(vec![certificate.der().clone()], key.into())
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Identity, Unusable> {
        let (names, not_after) = read_leaf(&chain[0])?;
        let bad_key = |error: rustls::Error| Unusable {
            part: Part::Key,
            message: match error {
                rustls::Error::InconsistentKeys(_) => {
                    "this is not the key of the certificate".to_owned()
                }
                error => format!("the key cannot be used: {error}"),
            },
            hint: "give the key that the certificate was asked for with: RSA, ECDSA or Ed25519",
        };
        let signer = provider()
            .key_provider
            .load_private_key(key)
            .map_err(bad_key)?;
        let key = CertifiedKey::new(chain, signer);
        key.keys_match().map_err(bad_key)?;
        Ok(Identity {
            key: Arc::new(key),
            names,
            not_after,
        })
    }

    /// The DNS names, lower case; `*.` may stand before one.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Seconds since 1970 after which it is no longer valid.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

fn made_for(names: &[String]) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let name = "portcullis, made for development";
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?, key))
}

/// The names and the end of a certificate that is valid now.
fn read_leaf(der: &CertificateDer<'_>) -> Result<(Vec<String>, i64), Unusable> {
    let bad = |message: String, hint| Unusable {
        part: Part::Certificate,
        message,
        hint,
    };
    let (_, leaf) = X509Certificate::from_der(der).map_err(|error| {
        bad(
            format!("the certificate cannot be read: {error}"),
            "is it an X.509 certificate?",
        )
    })?;
    let now = clamped(since_1970().as_secs());
    let validity = leaf.validity();
    if validity.not_after.timestamp() < now {
        let message = format!("the certificate expired on {}", validity.not_after);
        return Err(bad(message, "have it renewed"));
    }
    if validity.not_before.timestamp() > now {
        let message = format!(
            "the certificate is not valid before {}",
            validity.not_before
        );
        return Err(bad(message, "is the clock of this machine right?"));
    }
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.as_slice());
    let dns = names
        .unwrap_or_default()
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
    Ok((dns.collect(), validity.not_after.timestamp()))
}
