//! Where a request came from: what is believed of `Forwarded` and `X-Forwarded-*`, and what is told to upstreams.

mod proxy_headers;

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{FORWARDED, HeaderName, HeaderValue};
use http::{HeaderMap, Version};
use portcullis_syntax::Authority;
use portcullis_syntax::forwarding::Node;

use self::proxy_headers::ProxyHeaders;
use crate::ground::via::{protocol_of, write_via};
use crate::stages::peer::Peer;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client as far as it is known.
pub(crate) struct ClientAddress {
    /// None: a trusted proxy vouches for somebody, and it is not clear for whom.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) scheme: &'static str,
    /// For the log: what a trusted proxy said that was not understood.
    pub(crate) not_understood: Option<String>,
    pub(crate) provenance: Provenance,
}

/// The forwarding headers for the upstream, made once at admission.
#[derive(Debug, Default)]
pub struct Provenance {
    chain: String,
    /// For X-Forwarded-Host: what the first proxy was asked for.
    host: String,
    /// What this gateway was asked for, with the port.
    sent_host: String,
    peer: String,
    scheme: &'static str,
    /// A trusted proxy named no scheme that is understood: it must not be sent elsewhere for it.
    pub(crate) scheme_unclear: bool,
    /// The version that the client spoke, for Via.
    protocol: &'static str,
    /// What is appended to in `Forwarded`.
    before: String,
    /// The client said or proved who asks, by its certificate or in a header, whatever plugins make of it.
    pub(crate) credentials: bool,
}

/// Reads the forwarding headers of a request; believes them only where the peer is a trusted proxy.
pub(crate) fn believe(
    headers: &HeaderMap,
    peer: Peer<'_>,
    host: &Authority,
    version: Version,
) -> ClientAddress {
    let ip = peer.ip.to_canonical();
    let provenance = Provenance {
        chain: String::new(),
        host: host.as_str().to_owned(),
        sent_host: host.as_str().to_owned(),
        peer: ip.to_string(),
        scheme: peer.scheme,
        scheme_unclear: false,
        protocol: protocol_of(version),
        before: String::new(),
        credentials: false,
    };
    let address = ClientAddress {
        ip: Some(ip),
        scheme: peer.scheme,
        not_understood: None,
        provenance,
    };
    if peer.is_trusted() {
        address.with(ProxyHeaders::read(headers, peer))
    } else {
        address
    }
}

impl ClientAddress {
    /// With what a trusted proxy says.
    fn with(mut self, said: ProxyHeaders) -> ClientAddress {
        self.ip = said.client.unwrap_or(self.ip);
        self.scheme = said.scheme.unwrap_or(self.scheme);
        self.not_understood = said.not_understood;
        let provenance = &mut self.provenance;
        provenance.scheme = self.scheme;
        provenance.scheme_unclear = said.scheme_unclear;
        for (at, node) in said.chain.iter().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(provenance.chain, "{between}{node}");
        }
        provenance.before = said.forwarded.unwrap_or_else(|| forwarded_for(&said.chain));
        if let Some(host) = said.host {
            provenance.host = host.as_str().to_owned();
        }
        self
    }
}

/// The chain of `X-Forwarded-For` in the words of `Forwarded`, for who reads only that.
fn forwarded_for(chain: &[Node]) -> String {
    let element = |node: &Node| format!("for={}", quoted(&node.to_string()));
    let elements: Vec<String> = chain.iter().map(element).collect();
    elements.join(", ")
}

/// An address as `Forwarded` writes it (RFC 7239 section 6).
fn quoted(node: &str) -> String {
    if node.contains(':') {
        format!("\"[{node}]\"")
    } else {
        node.to_owned()
    }
}

impl Provenance {
    /// The request's own host, with its port.
    pub(crate) fn sent_host(&self) -> &str {
        &self.sent_host
    }

    /// The host that this gateway was asked for, and the one that the first proxy was.
    pub(crate) fn hosts(&self) -> (&str, &str) {
        (&self.sent_host, &self.host)
    }

    /// Writes what an upstream is told (RFC 7239 and the older headers).
    pub fn write(&self, headers: &mut HeaderMap) {
        let chain = if self.chain.is_empty() {
            self.peer.clone()
        } else {
            format!("{}, {}", self.chain, self.peer)
        };
        set(headers, X_FORWARDED_FOR, chain);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme));
        if !self.host.is_empty() {
            set(headers, X_FORWARDED_HOST, self.host.clone());
        }
        set(headers, FORWARDED, self.forwarded());
        write_via(headers, self.protocol);
    }

    fn forwarded(&self) -> String {
        let mut text = String::with_capacity(64);
        text.push_str(&self.before);
        if !self.before.is_empty() {
            text.push_str(", ");
        }
        text.push_str("for=");
        text.push_str(&quoted(&self.peer));
        if !self.host.is_empty() {
            text.push_str(";host=\"");
            text.push_str(&self.host);
            text.push('"');
        }
        text.push_str(";proto=");
        text.push_str(self.scheme);
        text
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: String) {
    // Built from checked parts; an odd one out is left out rather than sent broken.
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

/// A request id that a trusted peer sent, if it is one: 1 to 128 of `[A-Za-z0-9._-]`.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (!id.is_empty() && id.len() <= 128 && id.bytes().all(fits)).then_some(id)
}

#[cfg(test)]
mod tests;
