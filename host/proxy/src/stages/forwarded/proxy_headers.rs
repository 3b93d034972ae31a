//! What a trusted proxy says, read: who the client is, how it came and which host it asked for.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use portcullis_config::plan::ClientFrom;
use portcullis_syntax::Authority;
use portcullis_syntax::forwarding::{Element, Node, Scheme, elements};

use super::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::stages::peer::{Peer, trusts};

/// Nodes that are looked at, from the nearest one on.
const MAX_HOPS: usize = 16;
/// Characters of what was not understood that the log is given.
const SHOWN: usize = 256;

/// What a trusted proxy says.
#[derive(Debug, Default)]
pub(super) struct ProxyHeaders {
    /// None: it says nothing, and asks on its own behalf. Some(None): it does not say clearly who.
    pub(super) client: Option<Option<IpAddr>>,
    /// None: it says nothing that is understood.
    pub(super) scheme: Option<&'static str>,
    /// It says something of the scheme, and that is not understood.
    pub(super) scheme_unclear: bool,
    pub(super) host: Option<Authority>,
    /// From the client on.
    pub(super) chain: Vec<Node>,
    /// `Forwarded` as it came, where all of it is valid.
    pub(super) forwarded: Option<String>,
    pub(super) not_understood: Option<String>,
}

/// The nodes that one header names, the nearest ones, from left to right.
struct Chain {
    nodes: Vec<Node>,
    /// Where the client stands; None where nobody can tell.
    client: Option<usize>,
}

/// `Forwarded`, all lines of it.
struct Forwarded {
    /// The nearest ones. A line that is not valid is one element that says nothing.
    elements: Vec<Element>,
    /// None where a line is not valid.
    text: Option<String>,
}

// === impl ProxyHeaders ===

impl ProxyHeaders {
    pub(super) fn read(headers: &HeaderMap, peer: Peer<'_>) -> ProxyHeaders {
        let from = peer.admission.client_from;
        let by_x = (from != ClientFrom::Forwarded)
            .then(|| x_forwarded_for(headers))
            .flatten()
            .map(|nodes| Chain::new(nodes, peer));
        let forwarded = (from != ClientFrom::XForwardedFor)
            .then(|| Forwarded::read(headers))
            .flatten();
        let by_rfc = forwarded.as_ref().map(|f| Chain::new(f.nodes(), peer));
        let client = match [&by_x, &by_rfc].map(|chain| chain.as_ref().map(Chain::client)) {
            [Some(a), Some(b)] if a != b => Some(None),
            [a, b] => a.or(b),
        };
        // What the proxy said that the client came to: no client can have written it.
        let hop = forwarded
            .as_ref()
            .zip(by_rfc.as_ref().and_then(|chain| chain.client))
            .and_then(|(forwarded, at)| forwarded.elements.get(at));
        // X-Forwarded-* is what a client may have written itself, where the proxy is known to write Forwarded.
        let [proto_by_x, host_by_x] = [X_FORWARDED_PROTO, X_FORWARDED_HOST]
            .map(|name| first(headers, name).filter(|_| from != ClientFrom::Forwarded));
        // Nor does a proxy that writes Forwarded alone vouch for them: only what it says itself is believed.
        let alone = from == ClientFrom::Either && forwarded.is_some() && by_x.is_none();
        let (scheme, scheme_unclear) = scheme(proto_by_x, hop, alone);
        let (host, host_unclear) = host(host_by_x, hop, alone);
        let unclear = client == Some(None) || scheme_unclear || host_unclear;
        ProxyHeaders {
            client,
            scheme: scheme.map(Scheme::as_str),
            scheme_unclear,
            host,
            chain: by_x.or(by_rfc).map(|chain| chain.nodes).unwrap_or_default(),
            forwarded: forwarded.and_then(|forwarded| forwarded.text),
            not_understood: unclear.then(|| as_it_came(headers)),
        }
    }
}

// === impl Chain ===

impl Chain {
    fn new(nodes: Vec<Node>, peer: Peer<'_>) -> Chain {
        let stranger = |node: &Node| match node {
            Node::Address(ip) => !trusts(peer.trusted_proxies, *ip),
            Node::Unknown => true,
        };
        // Where all are proxies, the first of them asks on its own behalf, unless more of them stand before those that
        // are looked at.
        let first = (!nodes.is_empty() && nodes.len() < MAX_HOPS).then_some(0);
        let client = nodes.iter().rposition(stranger).or(first);
        Chain { nodes, client }
    }

    /// The nearest address that is no trusted proxy's. None where somebody unknown stands before it.
    fn client(&self) -> Option<IpAddr> {
        match self.nodes[self.client?] {
            Node::Address(ip) => Some(ip),
            Node::Unknown => None,
        }
    }
}

// === impl Forwarded ===

impl Forwarded {
    /// None where there is no such header.
    fn read(headers: &HeaderMap) -> Option<Forwarded> {
        headers.contains_key(FORWARDED).then(|| {
            let mut all = Vec::new();
            let mut lines = Some(Vec::new());
            for line in headers.get_all(FORWARDED) {
                let text = line.to_str().ok();
                match text.and_then(|text| Some((text, elements(text)?))) {
                    Some((text, elements)) => {
                        all.extend(elements);
                        if let Some(lines) = &mut lines {
                            lines.push(text);
                        }
                    }
                    None => {
                        all.push(Element::default());
                        lines = None;
                    }
                }
            }
            // Some readers of lists skip an element that says nothing: for them it is written out as unknown.
            if all.contains(&Element::default()) {
                lines = None;
            }
            let older = all.len().saturating_sub(MAX_HOPS);
            all.drain(..older);
            Forwarded {
                elements: all,
                text: lines.map(|lines| lines.join(", ")),
            }
        })
    }

    fn nodes(&self) -> Vec<Node> {
        let node = |element: &Element| element.node.unwrap_or(Node::Unknown);
        self.elements.iter().map(node).collect()
    }
}

/// The nodes of X-Forwarded-For from left to right, the nearest ones; None where there is no such header.
fn x_forwarded_for(headers: &HeaderMap) -> Option<Vec<Node>> {
    headers.contains_key(X_FORWARDED_FOR).then(|| {
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| {
            // What is no text is one entry that nobody can read.
            let text = line.to_str().unwrap_or("?");
            text.rsplit(',')
        });
        // An empty entry is a hop that says nothing of who stands before it.
        let mut nodes: Vec<Node> = entries.take(MAX_HOPS).map(Node::parse).collect();
        nodes.reverse();
        nodes
    })
}

/// How the client came, and whether something was said of it that is not clear.
fn scheme(by_x: Option<&str>, hop: Option<&Element>, alone: bool) -> (Option<Scheme>, bool) {
    let by_x = by_x.map(Scheme::parse);
    let by_rfc = hop.and_then(|hop| hop.proto.as_deref()).map(Scheme::parse);
    match (by_x, by_rfc) {
        (None, None) => (None, false),
        (Some(_), None) if alone => (None, true),
        (Some(a), Some(b)) if a != b => (None, true),
        (a, b) => {
            let said = a.or(b).flatten();
            (said, said.is_none())
        }
    }
}

/// The host that the first proxy was asked for, and whether the two headers name different ones: then neither is
/// believed. What is no host is not believed either.
fn host(by_x: Option<&str>, hop: Option<&Element>, alone: bool) -> (Option<Authority>, bool) {
    let read = |text: &str| Authority::parse(text.trim_matches([' ', '\t']));
    let by_x = by_x.map(|text| text.split(',').next().and_then(read));
    let by_rfc = hop.and_then(|hop| hop.host.as_deref()).map(read);
    match (by_x, by_rfc) {
        (Some(_), None) if alone => (None, true),
        (Some(a), Some(b)) if a != b => (None, true),
        (a, b) => (a.or(b).flatten(), false),
    }
}

/// The first line of a field; `?` where that is no text.
fn first(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// For the log: the headers that were read, bounded.
fn as_it_came(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for name in [
        X_FORWARDED_FOR,
        FORWARDED,
        X_FORWARDED_PROTO,
        X_FORWARDED_HOST,
    ] {
        for value in headers.get_all(&name) {
            let between = if text.is_empty() { "" } else { "; " };
            let value = String::from_utf8_lossy(value.as_bytes());
            text.push_str(&format!("{between}{name}: {value}"));
        }
    }
    text.chars().take(SHOWN).collect()
}
