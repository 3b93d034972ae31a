//! What gateway.toml says of TLS and of the protocol towards upstreams. The files are named here, not read.

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::Span;

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The first is the default; empty with `self_signed`.
    pub certificates: Vec<CertificatePlan>,
    /// Names and addresses of a certificate made at the start.
    pub self_signed: Vec<String>,
    pub client_auth: Option<ClientAuth>,
    pub min_version: TlsVersion,
    /// How long a handshake may take.
    pub handshake: Duration,
    pub hsts: Option<Hsts>,
}

/// A file that is named in gateway.toml, joined to its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlan {
    pub path: PathBuf,
    /// Where it is named.
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePlan {
    pub certificate: FilePlan,
    pub key: FilePlan,
}

/// Client certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    pub ca: FilePlan,
    /// Without one there is no connection.
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    V12,
    V13,
}

/// RFC 6797 section 6.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    pub max_age: Duration,
    pub include_subdomains: bool,
    pub preload: bool,
}

/// What is spoken to the servers of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// HTTP/2; with prior knowledge where there is no TLS (RFC 9113 section 3.3).
    Http2,
    /// Over TLS, what the server chooses (RFC 7301).
    Negotiated,
}

/// `tls = {}` of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// None: the roots of the system.
    pub ca: Option<FilePlan>,
    /// Shown to servers that ask.
    pub certificate: Option<CertificatePlan>,
    /// None: the host of the server's address.
    pub server_name: Option<String>,
    pub verify: bool,
    /// Where the table stands.
    pub span: Span,
}
