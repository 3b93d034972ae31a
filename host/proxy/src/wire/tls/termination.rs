//! The server's side of TLS: certificates by name, verified clients, the protocol by ALPN.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use portcullis_config::plan::{Hsts, TlsVersion};
use portcullis_exchange::ClientCertificate;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Authorities, Identity, client_certificate, provider, versions};

/// What a termination is made of.
#[derive(Debug, Clone)]
pub struct TerminationParts {
    /// The first is shown to clients that ask for no name that another has.
    pub identities: Vec<Arc<Identity>>,
    /// Whose clients are let in, and whether one must show a certificate.
    pub clients: Option<(Arc<Authorities>, bool)>,
    pub min_version: TlsVersion,
    pub handshake: Duration,
    pub hsts: Option<Hsts>,
    /// Offer HTTP/2 beside HTTP/1.1.
    pub h2: bool,
}

/// How `listen.https` does handshakes.
#[derive(Debug)]
pub struct Termination {
    parts: TerminationParts,
    config: Arc<ServerConfig>,
    hsts: Option<HeaderValue>,
}

/// What a handshake established.
#[derive(Debug, Default)]
pub struct Secured {
    /// The client's, verified.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A handshake that is done.
#[derive(Debug)]
pub struct Accepted {
    pub stream: TlsStream<TcpStream>,
    pub secured: Secured,
    /// HTTP/2 was agreed on (RFC 9113 section 3.2).
    pub h2: bool,
}

/// Why a handshake came to nothing.
#[derive(Debug)]
pub enum Failed {
    TimedOut,
    Refused(std::io::Error),
}

const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

// === impl TerminationParts ===

impl PartialEq for TerminationParts {
    /// The very same material.
    fn eq(&self, other: &Self) -> bool {
        let identities = self.identities.len() == other.identities.len()
            && self
                .identities
                .iter()
                .zip(&other.identities)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        let clients = match (&self.clients, &other.clients) {
            (Some((a, must)), Some((b, also))) => Arc::ptr_eq(a, b) && must == also,
            (None, None) => true,
            _ => false,
        };
        identities
            && clients
            && self.min_version == other.min_version
            && self.handshake == other.handshake
            && self.hsts == other.hsts
            && self.h2 == other.h2
    }
}

// === impl Termination ===

impl Termination {
    /// Resumption starts anew: whom an older one let in must show himself again.
    ///
    /// # Errors
    ///
    /// Where the material does not make a configuration, in rustls' words.
    pub fn new(parts: TerminationParts) -> Result<Termination, String> {
        let text = |error: rustls::Error| error.to_string();
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(parts.min_version))
            .map_err(text)?;
        let builder = match &parts.clients {
            None => builder.with_no_client_auth(),
            Some((authorities, required)) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(authorities.0.clone(), provider());
                let verifier = if *required {
                    verifier
                } else {
                    verifier.allow_unauthenticated()
                };
                let verifier = verifier.build().map_err(|error| error.to_string())?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Shown::new(&parts.identities)?));
        config.alpn_protocols = if parts.h2 {
            vec![H2.to_vec(), HTTP1.to_vec()]
        } else {
            vec![HTTP1.to_vec()]
        };
        // Tickets need no memory here, and a ticket of another configuration opens nothing.
        config.ticketer = Ticketer::new().map_err(text)?;
        Ok(Termination {
            hsts: parts.hsts.and_then(hsts),
            config: Arc::new(config),
            parts,
        })
    }

    pub fn parts(&self) -> &TerminationParts {
        &self.parts
    }

    pub(crate) fn hsts(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref()
    }

    /// One handshake, within its time.
    pub async fn accept(&self, tcp: TcpStream) -> Result<Accepted, Failed> {
        let handshake = TlsAcceptor::from(self.config.clone()).accept(tcp);
        let stream = tokio::time::timeout(self.parts.handshake, handshake)
            .await
            .map_err(|_| Failed::TimedOut)?
            .map_err(Failed::Refused)?;
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let secured = Secured {
            certificate: leaf.and_then(client_certificate::read).map(Arc::new),
        };
        Ok(Accepted {
            h2: session.alpn_protocol() == Some(H2),
            secured,
            stream,
        })
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::TimedOut => f.write_str("the TLS handshake took too long"),
            Failed::Refused(error) => write!(f, "TLS: {error}"),
        }
    }
}

// === certificates by name ===

/// Certificates by the names that they are for (RFC 6066 section 3). Several of one name differ in the kind of key.
#[derive(Debug)]
struct Shown {
    default: Arc<CertifiedKey>,
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    below: HashMap<String, Vec<Arc<CertifiedKey>>>,
}

impl Shown {
    fn new(identities: &[Arc<Identity>]) -> Result<Shown, String> {
        let first = identities.first().ok_or("there is no certificate")?;
        let mut shown = Shown {
            default: first.key.clone(),
            exact: HashMap::new(),
            below: HashMap::new(),
        };
        for identity in identities {
            for name in identity.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut shown.below, parent),
                    None => (&mut shown.exact, name.as_str()),
                };
                names
                    .entry(name.to_owned())
                    .or_default()
                    .push(identity.key.clone());
            }
        }
        Ok(shown)
    }

    /// The certificates that have `name`; a star stands for one label (RFC 9525 section 6.3).
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        let parent = || {
            name.split_once('.')
                .and_then(|(_, parent)| self.below.get(parent))
        };
        self.exact.get(&name).or_else(parent)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.named(name));
        let usable =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let chosen = named.and_then(|keys| keys.iter().find(usable));
        Some(chosen.unwrap_or(&self.default).clone())
    }
}

/// RFC 6797 section 6.1.
fn hsts(hsts: Hsts) -> Option<HeaderValue> {
    let mut text = format!("max-age={}", hsts.max_age.as_secs());
    if hsts.include_subdomains {
        text.push_str("; includeSubDomains");
    }
    if hsts.preload {
        text.push_str("; preload");
    }
    HeaderValue::try_from(text).ok()
}
