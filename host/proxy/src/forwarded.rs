//! Where a request came from: what is believed of `Forwarded` and `X-Forwarded-*`, and what is told to upstreams.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, FORWARDED, HeaderName, HeaderValue, VIA};
use http::{HeaderMap, Version};

use crate::admit::{Peer, trusts};
use crate::edge::X_MIRRORED;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const OURS: [HeaderName; 7] = [
    FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    X_REAL_IP,
    X_MIRRORED,
];

/// Our name in Via (RFC 9110 section 7.6.3).
const PSEUDONYM: &str = "portcullis";
/// Addresses of X-Forwarded-For that are looked at.
const MAX_HOPS: usize = 16;

/// The client as far as it is known.
pub(crate) struct ClientAddress {
    pub(crate) ip: IpAddr,
    pub(crate) scheme: &'static str,
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
    /// The version that the client spoke, for Via.
    protocol: &'static str,
    /// A trusted proxy's `Forwarded`, to be appended to.
    before: Option<HeaderValue>,
    /// The client sent Authorization, whatever plugins make of it.
    pub(crate) credentials: bool,
}

pub(crate) fn is_ours(name: &HeaderName) -> bool {
    OURS.contains(name)
}

/// Takes the forwarding headers out of a request; believes them only where the peer is a trusted proxy.
pub(crate) fn believe(
    headers: &mut HeaderMap,
    peer: Peer<'_>,
    host: &str,
    version: Version,
) -> ClientAddress {
    let trusted = peer.is_trusted();
    let provenance = Provenance {
        chain: String::new(),
        host: host.to_owned(),
        sent_host: host.to_owned(),
        peer: peer.ip.to_canonical().to_string(),
        scheme: peer.scheme,
        protocol: via_protocol(version),
        before: None,
        credentials: headers.contains_key(AUTHORIZATION),
    };
    let mut address = ClientAddress {
        ip: peer.ip.to_canonical(),
        scheme: peer.scheme,
        provenance,
    };
    if trusted {
        let hops = hops(headers);
        // The right-most address that no trusted proxy vouches for is the client's.
        let client = hops
            .iter()
            .rev()
            .find(|ip| !trusts(peer.trusted_proxies, **ip))
            .or(hops.first());
        address.ip = client.copied().unwrap_or(address.ip);
        let chain: Vec<String> = hops.iter().map(IpAddr::to_string).collect();
        address.provenance.chain = chain.join(", ");
        match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
            Some(b"https") => address.scheme = "https",
            Some(b"http") => address.scheme = "http",
            _ => {}
        }
        if let Some(host) = headers.get(X_FORWARDED_HOST).and_then(|v| v.to_str().ok()) {
            address.provenance.host = host.to_owned();
        }
        address.provenance.before = headers.get(FORWARDED).cloned();
        address.provenance.scheme = address.scheme;
    }
    if OURS.iter().any(|name| headers.contains_key(name)) {
        OURS.iter().for_each(|name| drop(headers.remove(name)));
    }
    address
}

/// X-Forwarded-For from left to right; stops at the first entry, from the right, that is not an address.
fn hops(headers: &HeaderMap) -> Vec<IpAddr> {
    let values = headers.get_all(X_FORWARDED_FOR);
    let entries: Vec<&str> = values
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    let known = entries
        .iter()
        .rev()
        .take(MAX_HOPS)
        .map_while(|text| text.trim().parse::<IpAddr>().ok());
    let mut hops: Vec<IpAddr> = known.collect();
    hops.reverse();
    hops
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
        let node = if self.peer.contains(':') {
            format!("\"[{}]\"", self.peer)
        } else {
            self.peer.clone()
        };
        let mut text = String::with_capacity(64);
        if let Some(before) = self.before.as_ref().and_then(|v| v.to_str().ok()) {
            text.push_str(before);
            text.push_str(", ");
        }
        text.push_str("for=");
        text.push_str(&node);
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

/// The received protocol as Via writes it.
pub(crate) fn via_protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    }
}

/// Appends ourselves to Via.
pub(crate) fn write_via(headers: &mut HeaderMap, protocol: &str) {
    match headers.get(VIA) {
        None if protocol == "1.1" => {
            headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        }
        before => {
            let before = before
                .and_then(|v| v.to_str().ok())
                .map(|v| format!("{v}, "))
                .unwrap_or_default();
            set(headers, VIA, format!("{before}{protocol} {PSEUDONYM}"));
        }
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
