//! What a trusted proxy says, read: who the client is, how it came and which host it asked for.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use portcullis_config::plan::ClientFrom;
use portcullis_syntax::Authority;
use portcullis_syntax::forwarding::{Element, Node, Scheme, elements};

use super::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::admit::{Peer, trusts};

/// Nodes that are looked at, from the nearest one on.
const MAX_HOPS: usize = 16;
/// Characters of what was not understood that the log is given.
const SHOWN: usize = 256;

/// What a trusted proxy says.
#[derive(Debug, Default)]
pub(super) struct Told {
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

impl Told {
    pub(super) fn read(headers: &HeaderMap, peer: Peer<'_>) -> Told {
        let from = peer.admission.client_from;
        let by_x = (from != ClientFrom::Forwarded).then(|| x_forwarded_for(headers));
        let by_rfc = (from != ClientFrom::XForwardedFor).then(|| forwarded(headers));
        let (by_x, by_rfc) = (by_x.flatten(), by_rfc.flatten());
        let nodes = by_rfc.as_ref().map(|all| all.iter().map(node).collect());
        let clients = [&by_x, &nodes].map(|chain| chain.as_ref().map(|c| client(c, peer)));
        let client = match clients {
            [Some(a), Some(b)] if a != b => Some(None),
            [a, b] => a.or(b),
        };
        let hop = by_rfc
            .as_ref()
            .and_then(|all| hop(all, nodes.as_ref()?, peer));
        let (scheme, scheme_unclear) = scheme(headers, hop);
        let mut told = Told {
            client,
            scheme: scheme.map(Scheme::as_str),
            scheme_unclear,
            host: host(headers, hop),
            chain: by_x.or(nodes).unwrap_or_default(),
            forwarded: by_rfc.and_then(|_| valid(headers)),
            not_understood: None,
        };
        if told.client == Some(None) || told.scheme_unclear {
            told.not_understood = Some(as_it_came(headers));
        }
        told
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
        let there = entries.filter(|entry| !entry.trim_matches([' ', '\t']).is_empty());
        let mut nodes: Vec<Node> = there.take(MAX_HOPS).map(Node::parse).collect();
        nodes.reverse();
        nodes
    })
}

/// The elements of `Forwarded`, the nearest ones; None where there is no such header.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Element>> {
    headers.contains_key(FORWARDED).then(|| {
        let lines = headers.get_all(FORWARDED).iter();
        let read = |line: &http::HeaderValue| line.to_str().ok().and_then(elements);
        // A line that cannot be read is one element that says nothing.
        let mut all: Vec<Element> = lines
            .flat_map(|line| read(line).unwrap_or_else(|| vec![Element::default()]))
            .collect();
        let older = all.len().saturating_sub(MAX_HOPS);
        all.drain(..older);
        all
    })
}

fn node(element: &Element) -> Node {
    element.node.unwrap_or(Node::Unknown)
}

/// The nearest address that is no trusted proxy's. None where somebody unknown stands before it.
fn client(chain: &[Node], peer: Peer<'_>) -> Option<IpAddr> {
    let at = position(chain, peer)?;
    match chain[at] {
        Node::Address(ip) => Some(ip),
        Node::Unknown => None,
    }
}

/// Where the client stands in a chain. Where all are proxies, the first of them asks on its own behalf, unless more of
/// them stand before those that are looked at.
fn position(chain: &[Node], peer: Peer<'_>) -> Option<usize> {
    let stranger = |node: &Node| match node {
        Node::Address(ip) => !trusts(peer.trusted_proxies, *ip),
        Node::Unknown => true,
    };
    let first = (!chain.is_empty() && chain.len() < MAX_HOPS).then_some(0);
    chain.iter().rposition(stranger).or(first)
}

/// What the proxy said that the client came to: no client can have written it.
fn hop<'a>(all: &'a [Element], nodes: &[Node], peer: Peer<'_>) -> Option<&'a Element> {
    position(nodes, peer).and_then(|at| all.get(at))
}

/// How the client came, and whether something was said of it that is not clear.
fn scheme(headers: &HeaderMap, hop: Option<&Element>) -> (Option<Scheme>, bool) {
    let by_x = first(headers, &X_FORWARDED_PROTO).map(Scheme::parse);
    let by_rfc = hop.and_then(|hop| hop.proto.as_deref()).map(Scheme::parse);
    match (by_x, by_rfc) {
        (None, None) => (None, false),
        (Some(a), Some(b)) if a != b => (None, true),
        (a, b) => {
            let said = a.or(b).flatten();
            (said, said.is_none())
        }
    }
}

/// The host that the first proxy was asked for. What is no host is not believed.
fn host(headers: &HeaderMap, hop: Option<&Element>) -> Option<Authority> {
    let by_x = first(headers, &X_FORWARDED_HOST).and_then(|text| text.split(',').next());
    let said = by_x.or_else(|| hop.and_then(|hop| hop.host.as_deref()))?;
    Authority::parse(said.trim_matches([' ', '\t']))
}

/// The first line of a field; `?` where that is no text.
fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// All lines of `Forwarded`, where each can be read.
fn valid(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(FORWARDED).iter();
    let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok()).collect();
    let lines = lines.filter(|lines| lines.iter().all(|line| elements(line).is_some()))?;
    let there = lines.into_iter().filter(|line| !line.trim().is_empty());
    Some(there.collect::<Vec<_>>().join(", "))
}

/// For the log: the headers that were read, bounded.
fn as_it_came(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for name in [X_FORWARDED_FOR, FORWARDED, X_FORWARDED_PROTO] {
        for value in headers.get_all(&name) {
            let between = if text.is_empty() { "" } else { "; " };
            let value = String::from_utf8_lossy(value.as_bytes());
            text.push_str(&format!("{between}{name}: {value}"));
        }
    }
    text.chars().take(SHOWN).collect()
}
