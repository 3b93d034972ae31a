//! Who sent the request: the caller that an authenticator named, and the client's certificate.

use std::sync::Arc;

/// Who is asking, as an authenticator said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub id: Arc<str>,
    pub roles: Vec<String>,
    pub claims: Vec<(String, String)>,
}

/// What a client certificate says: the attributes `client.cert.*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientCertificate {
    /// RFC 4514: `CN=raids,O=Example`.
    pub subject: String,
    /// The subject's alternative names (RFC 5280 section 4.2.1.6) by kind.
    pub dns: Vec<String>,
    pub uri: Vec<String>,
    pub email: Vec<String>,
    pub ip: Vec<String>,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
}
