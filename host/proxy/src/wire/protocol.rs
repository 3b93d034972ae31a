//! What a listener speaks.

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// HTTP/2 in clear text with prior knowledge.
    H2c,
    /// TLS, and in it what the client chooses of HTTP/2 and HTTP/1.1 (ALPN).
    Https,
}

impl Protocol {
    /// The labels of metrics.
    pub(crate) const NAMES: [&str; 3] = ["http", "h2c", "https"];
}
