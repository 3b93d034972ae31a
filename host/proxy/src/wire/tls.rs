//! TLS (rustls): what is shown to clients and asked of them, and what is asked of servers.
//!
//! Everything here is made of bytes; which files they come from and when they are read again is the host's to know.
//! A [`Termination`] and a [`Dial`] belong to a generation: a handshake takes what serves now, connections go on with
//! what they began with.

mod client_certificate;
mod dial;
mod identity;
mod termination;

use std::sync::{Arc, LazyLock};

use portcullis_config::plan::TlsVersion;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub use dial::{Dial, DialParts, TlsParts};
pub(crate) use dial::{Dialled, Stream, reach};
pub use identity::Identity;
pub use termination::{Accepted, Failed, Secured, Termination, TerminationParts};

/// What is wrong with material for TLS, and with which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub part: Part,
    /// One line, lower case, without a full stop.
    pub message: String,
    pub hint: &'static str,
}

/// Which of the files is to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Certificate,
    Key,
    Authorities,
}

/// Certificates that others are verified against.
#[derive(Debug)]
pub struct Authorities(Arc<RootCertStore>);

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

static ONLY_13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// AES-GCM and ChaCha20 with ephemeral keys only, by rustls' own choice.
fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}

fn versions(least: TlsVersion) -> &'static [&'static rustls::SupportedProtocolVersion] {
    match least {
        TlsVersion::V12 => rustls::ALL_VERSIONS,
        TlsVersion::V13 => ONLY_13,
    }
}

// === impl Authorities ===

impl Authorities {
    /// From a file of PEM certificates.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, Unusable> {
        let bad = |message: String| Unusable {
            part: Part::Authorities,
            message,
            hint: "the file must hold the certificates of authorities in PEM",
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| bad(format!("not PEM: {error}")))?;
            roots
                .add(certificate)
                .map_err(|error| bad(format!("a certificate is not usable: {error}")))?;
        }
        if roots.is_empty() {
            return Err(bad("there is no certificate in it".to_owned()));
        }
        Ok(Authorities(Arc::new(roots)))
    }

    /// What the system trusts. Those of its certificates that rustls cannot read are left out.
    pub fn of_the_system() -> Result<Authorities, Unusable> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(Unusable {
                part: Part::Authorities,
                message: "the system trusts nobody".to_owned(),
                hint: "install ca-certificates, or name the authorities with `ca`",
            });
        }
        Ok(Authorities(Arc::new(roots)))
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unusable {}
