//! Where a request came from: what is believed of `Forwarded` and `X-Forwarded-*`, and what is told to upstreams.

mod proxy_headers;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{FORWARDED, HeaderName, HeaderValue};
use http::{HeaderMap, Version};
use parking_lot::Mutex;
use portcullis_syntax::Authority;
use portcullis_syntax::forwarding::Node;

use self::proxy_headers::ProxyHeaders;
use crate::ground::via::{protocol_of, write_via};
use crate::stages::peer::Peer;
use crate::upstreams::added::{Added, X_REQUEST_ID};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

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
    way: Arc<Way>,
    /// A trusted proxy named no scheme that is understood: it must not be sent elsewhere for it.
    pub(crate) scheme_unclear: bool,
    /// The client said or proved who asks, by its certificate or in a header, whatever plugins make of it.
    pub(crate) credentials: bool,
}

/// What services learn of the way of a request, ready to be written.
#[derive(Debug)]
struct Way {
    /// What the first proxy was asked for. Empty where no host was named.
    host: HeaderValue,
    /// What this gateway was asked for, with the port.
    sent_host: HeaderValue,
    /// The version that the client spoke, for Via.
    protocol: &'static str,
    /// The headers of a request that has no Via yet (RFC 7239 and the older ones), and the same as lines of a head.
    fields: HeaderMap,
    lines: Vec<u8>,
}

/// What the last request over a connection said, which the next one mostly says again.
#[derive(Debug, Default)]
pub(crate) struct LastSaid {
    /// Its host, as it came and as it was read.
    host: Mutex<Option<(Box<[u8]>, Authority)>>,
    /// Not of what a trusted proxy says, which speaks for many.
    way: Mutex<Option<Arc<Way>>>,
}

/// Reads the forwarding headers of a request; believes them only where the peer is a trusted proxy.
pub(crate) fn believe(
    headers: &HeaderMap,
    peer: Peer<'_>,
    host: &Authority,
    version: Version,
    last: &LastSaid,
) -> ClientAddress {
    let ip = peer.ip.to_canonical();
    let protocol = protocol_of(version);
    if !peer.is_trusted() {
        return ClientAddress {
            ip: Some(ip),
            scheme: peer.scheme,
            not_understood: None,
            provenance: Provenance {
                way: last.way_or(host.as_str(), protocol, || {
                    Way::new(&ip, peer.scheme, protocol, host, &ProxyHeaders::default())
                }),
                ..Provenance::default()
            },
        };
    }
    let said = ProxyHeaders::read(headers, peer);
    let scheme = said.scheme.unwrap_or(peer.scheme);
    ClientAddress {
        ip: said.client.unwrap_or(Some(ip)),
        scheme,
        provenance: Provenance {
            way: Arc::new(Way::new(&ip, scheme, protocol, host, &said)),
            scheme_unclear: said.scheme_unclear,
            credentials: false,
        },
        not_understood: said.not_understood,
    }
}

// === impl LastSaid ===

impl LastSaid {
    /// Reads a host; None where it is none.
    pub(crate) fn host(&self, text: &[u8]) -> Option<Authority> {
        let mut last = self.host.lock();
        if let Some((said, host)) = &*last
            && **said == *text
        {
            return Some(host.clone());
        }
        let host = Authority::parse(std::str::from_utf8(text).ok()?)?;
        *last = Some((text.into(), host.clone()));
        Some(host)
    }

    fn way_or(&self, host: &str, protocol: &str, new: impl FnOnce() -> Way) -> Arc<Way> {
        let mut last = self.way.lock();
        match &*last {
            Some(way) if way.sent_host == host && way.protocol == protocol => way.clone(),
            _ => last.insert(Arc::new(new())).clone(),
        }
    }
}

// === impl Way ===

impl Default for Way {
    fn default() -> Way {
        const NOTHING: HeaderValue = HeaderValue::from_static("");
        Way {
            host: NOTHING,
            sent_host: NOTHING,
            protocol: "",
            fields: HeaderMap::new(),
            lines: Vec::new(),
        }
    }
}

impl Way {
    /// `said`: what a trusted proxy says, which is written on.
    fn new(
        peer: &IpAddr,
        scheme: &'static str,
        protocol: &'static str,
        asked: &Authority,
        said: &ProxyHeaders,
    ) -> Way {
        let mut chain = String::with_capacity(48);
        for node in &said.chain {
            // Writing to a String cannot fail.
            let _ = write!(chain, "{node}, ");
        }
        let _ = write!(chain, "{peer}");
        let host = said.host.as_ref().unwrap_or(asked).as_str();
        let before = match &said.forwarded {
            Some(forwarded) => Cow::Borrowed(&**forwarded),
            None => Cow::Owned(forwarded_for(&said.chain)),
        };
        let forwarded = value(&forwarded(&before, &peer.to_string(), host, scheme));
        let host = value(host);
        let mut fields = HeaderMap::new();
        for (name, value) in [
            (X_FORWARDED_FOR, value(&chain)),
            (X_FORWARDED_PROTO, HeaderValue::from_static(scheme)),
            (X_FORWARDED_HOST, host.clone()),
            (FORWARDED, forwarded),
        ] {
            if !value.is_empty() {
                fields.insert(name, value);
            }
        }
        write_via(&mut fields, protocol);
        let mut lines = Vec::new();
        for (name, value) in &fields {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        Way {
            host,
            sent_host: value(asked.as_str()),
            protocol,
            fields,
            lines,
        }
    }
}

/// Built from checked parts; an odd one out is left out rather than sent broken.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn forwarded(before: &str, peer: &str, host: &str, scheme: &str) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(before);
    if !before.is_empty() {
        text.push_str(", ");
    }
    text.push_str("for=");
    text.push_str(&quoted(peer));
    if !host.is_empty() {
        text.push_str(";host=\"");
        text.push_str(host);
        text.push('"');
    }
    text.push_str(";proto=");
    text.push_str(scheme);
    text
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
    pub(crate) fn sent_host(&self) -> &HeaderValue {
        &self.way.sent_host
    }

    /// The host that this gateway was asked for, and the one that the first proxy was.
    pub(crate) fn hosts(&self) -> (&str, &str) {
        // Admission let only hosts pass, which are text.
        let [sent, first] = [&self.way.sent_host, &self.way.host];
        (
            sent.to_str().unwrap_or_default(),
            first.to_str().unwrap_or_default(),
        )
    }

    /// What services learn of the way, with the id of the request.
    pub(crate) fn added<'a>(&'a self, request_id: &'a str) -> Added<'a> {
        Added {
            fields: &self.way.fields,
            lines: &self.way.lines,
            protocol: self.way.protocol,
            request_id,
        }
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
