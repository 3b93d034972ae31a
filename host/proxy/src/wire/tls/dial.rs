//! How the servers of an upstream are spoken to: in clear text or over TLS, HTTP/1.1 or HTTP/2.

mod stream;

use std::io;
use std::sync::Arc;

use portcullis_config::plan::{Protocol, TlsVersion};
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) use self::stream::Stream;

use super::{Authorities, Identity, Unusable, provider, versions};

/// What a dial is made of.
#[derive(Debug, Clone)]
pub struct DialParts {
    pub protocol: Protocol,
    /// None: clear text.
    pub tls: Option<TlsParts>,
}

#[derive(Debug, Clone)]
pub struct TlsParts {
    /// None: whoever answers is believed.
    pub authorities: Option<Arc<Authorities>>,
    pub identity: Option<Arc<Identity>>,
    /// None: the host of the server.
    pub server_name: Option<String>,
}

// === impl TlsParts ===

impl TlsParts {
    /// Believes whom these authorities vouch for, or everybody, and shows nothing itself.
    pub fn verifying(authorities: Option<Authorities>) -> TlsParts {
        TlsParts {
            authorities: authorities.map(Arc::new),
            identity: None,
            server_name: None,
        }
    }

    /// Believes whom the system believes.
    ///
    /// # Errors
    ///
    /// Where the system has no authorities.
    pub fn of_the_system() -> Result<TlsParts, Unusable> {
        Authorities::of_the_system().map(|all| TlsParts::verifying(Some(all)))
    }
}

/// How to reach the servers of one upstream.
#[derive(Debug)]
pub struct Dial {
    parts: DialParts,
    tls: Option<Arc<ClientConfig>>,
    /// The same, offering HTTP/1.1 only.
    tls_http1: Option<Arc<ClientConfig>>,
}

/// A connection to a server, and whether HTTP/2 is spoken on it.
pub(crate) struct Dialled {
    pub(crate) stream: Stream,
    pub(crate) h2: bool,
}

const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

// === impl DialParts ===

impl PartialEq for DialParts {
    /// The very same material.
    fn eq(&self, other: &Self) -> bool {
        fn same<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            }
        }
        let tls = match (&self.tls, &other.tls) {
            (Some(a), Some(b)) => {
                same(a.authorities.as_ref(), b.authorities.as_ref())
                    && same(a.identity.as_ref(), b.identity.as_ref())
                    && a.server_name == b.server_name
            }
            (None, None) => true,
            _ => false,
        };
        self.protocol == other.protocol && tls
    }
}

// === impl Dial ===

impl Dial {
    /// # Errors
    ///
    /// Where the material does not make a configuration, in rustls' words.
    pub fn new(parts: DialParts) -> Result<Dial, String> {
        let config = parts
            .tls
            .as_ref()
            .map(|tls| client_config(tls, parts.protocol));
        let config = config.transpose()?;
        let http1 = config.clone().map(|mut config| {
            config.alpn_protocols = vec![HTTP1.to_vec()];
            Arc::new(config)
        });
        Ok(Dial {
            tls: config.map(Arc::new),
            tls_http1: http1,
            parts,
        })
    }

    pub fn parts(&self) -> &DialParts {
        &self.parts
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.parts.protocol
    }

    /// `https` or `http`, as an HTTP/2 request says it.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Connects to `address`, whose name is `host` (`host:port`), and says what is spoken there.
    pub(crate) async fn reach(&self, address: &str, host: &str) -> io::Result<Dialled> {
        let tcp = reach(address).await?;
        let stream = self.secured(tcp, host, self.tls.as_ref()).await?;
        let h2 = match (self.parts.protocol, stream.agreed()) {
            (Protocol::Http1, _) => false,
            // A server without ALPN speaks HTTP/1.1 (RFC 9113 section 3.2).
            (Protocol::Negotiated, agreed) => agreed == Some(H2),
            (Protocol::Http2, agreed) if self.tls.is_none() || agreed == Some(H2) => true,
            (Protocol::Http2, _) => {
                return Err(io::Error::other("the server does not speak HTTP/2 (ALPN)"));
            }
        };
        Ok(Dialled { stream, h2 })
    }

    /// Connects to `host:port` for HTTP/1.1.
    pub async fn open(
        &self,
        address: &str,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        self.http1(address, address).await
    }

    /// Connects to `address`, whose name is `host`, for HTTP/1.1, whatever else the server may speak.
    pub(crate) async fn http1(&self, address: &str, host: &str) -> io::Result<Stream> {
        let tcp = reach(address).await?;
        self.secured(tcp, host, self.tls_http1.as_ref()).await
    }

    async fn secured(
        &self,
        tcp: TcpStream,
        host: &str,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Stream> {
        let Some(config) = tls else {
            return Ok(Stream::Clear(tcp));
        };
        let given = self
            .parts
            .tls
            .as_ref()
            .and_then(|tls| tls.server_name.as_deref());
        let name = given.unwrap_or_else(|| host_of(host)).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config.clone())
            .connect(name, tcp)
            .await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// TCP alone.
pub(crate) async fn reach(address: &str) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn client_config(tls: &TlsParts, protocol: Protocol) -> Result<ClientConfig, String> {
    let text = |error: rustls::Error| error.to_string();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(TlsVersion::V12))
        .map_err(text)?;
    let builder = match &tls.authorities {
        Some(authorities) => {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(authorities.0.clone(), provider())
                    .build()
                    .map_err(|error| error.to_string())?;
            builder.with_webpki_verifier(verifier)
        }
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider()))),
    };
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key.clone()))),
    };
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![HTTP1.to_vec()],
        Protocol::Http2 => vec![H2.to_vec()],
        Protocol::Negotiated => vec![H2.to_vec(), HTTP1.to_vec()],
    };
    Ok(config)
}

// === verify = false ===

/// Believes every certificate; signatures are still checked, so that the connection is to one who has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
