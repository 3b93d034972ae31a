//! Admission: what a request means, decided once. Nothing later reads Host, the target, hop-by-hop or forwarding
//! headers again, so what was authorized is what is forwarded.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, TRAILER};
use http::request::Parts;
use http::{HeaderMap, Method, Version};
use ipnet::IpNet;
use portcullis_runtime::{ClientCertificate, Exchange, Side, Target};

use crate::clock::since_1970;
use crate::forwarded::{self, ClientAddress};
use crate::generation::Generation;
use crate::guard::Client;
use crate::refusal::{Reason, Refusal};
use crate::trailers;
use crate::tunnel::Handshake;

/// A request that may be routed.
#[derive(Debug)]
pub struct Admitted {
    pub exchange: Exchange,
    /// What is sent to the upstream beside the exchange's own headers.
    pub provenance: forwarded::Provenance,
    /// The client asks to speak WebSocket.
    pub handshake: Option<Handshake>,
}

/// What is known of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    pub ip: IpAddr,
    pub trusted_proxies: &'a [IpNet],
    /// How the connection came: `http` or `https`.
    pub scheme: &'static str,
    pub certificate: Option<&'a Arc<ClientCertificate>>,
}

impl<'a> Peer<'a> {
    pub(crate) fn of(client: &'a Client, generation: &'a Generation) -> Peer<'a> {
        Peer {
            ip: client.peer.ip(),
            trusted_proxies: &generation.trusted_proxies,
            scheme: client.scheme(),
            certificate: client.tls.as_ref().and_then(|tls| tls.certificate.as_ref()),
        }
    }
}

impl Peer<'_> {
    pub fn is_trusted(self) -> bool {
        trusts(self.trusted_proxies, self.ip)
    }
}

pub(crate) fn trusts(proxies: &[IpNet], ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    proxies.iter().any(|net| net.contains(&ip))
}

/// Admits or refuses a request head.
pub fn admit(mut parts: Parts, peer: Peer<'_>, request_id: Arc<str>) -> Result<Admitted, Refusal> {
    let handshake = Handshake::read(&parts)?;
    if handshake.is_some() {
        // An extended CONNECT is the GET that it would be over HTTP/1.1, for routes, plugins and the server alike.
        parts.method = Method::GET;
    }
    let Parts {
        method,
        uri,
        version,
        mut headers,
        ..
    } = parts;
    check_method(&method)?;
    let host = host_of(&uri, &headers, version)?;
    let target = uri
        .path_and_query()
        .cloned()
        .ok_or_else(|| malformed("the request target has no path"))?;
    let target = Target::new(target).map_err(|error| malformed(&error.to_string()))?;
    if version == Version::HTTP_2 {
        check_h2_headers(&headers)?;
        join_cookies(&mut headers);
    }
    headers.remove(HOST);
    let trailers = trailers::announced(&headers, Side::Request);
    strip_hop_by_hop(&mut headers);
    headers.extend(trailers.map(|names| (TRAILER, names)));
    let ClientAddress {
        ip,
        scheme,
        provenance,
    } = forwarded::believe(&mut headers, peer, &host, version);
    let bare_host = without_port(&host).to_owned();
    let exchange = Exchange {
        method,
        target,
        request: headers,
        request_id,
        host: bare_host,
        scheme,
        client_ip: Some(ip),
        client_certificate: peer.certificate.cloned(),
        now_ms: now_ms(),
        ..Exchange::default()
    };
    Ok(Admitted {
        exchange,
        provenance,
        handshake,
    })
}

/// Headers that belong to one connection (RFC 9110 section 7.6.1), plus what the gateway writes anew or must not
/// pass on (`Proxy`: httpoxy, CVE-2016-5385).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in listed_in_connection(headers) {
            headers.remove(name);
        }
    }
    // One look at each name, for there is seldom more than one to remove.
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "expect"
            | "keep-alive"
            | "proxy"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What `Connection` lists, except the end-to-end fields that it must not be able to remove.
fn listed_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    const KEPT: [&str; 8] = [
        "host",
        "cookie",
        "authorization",
        "content-type",
        "content-encoding",
        "cache-control",
        "x-request-id",
        "origin",
    ];
    let values = headers.get_all(CONNECTION);
    let tokens = values
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','));
    let names = tokens.filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok());
    names
        .filter(|name| !KEPT.contains(&name.as_str()) && !forwarded::is_ours(name))
        .collect()
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedRequest)
        .detail(detail)
        .closing()
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Refusal::new(Reason::MethodNotSupported).closing());
    }
    Ok(())
}

/// The one host of a request, lower case, with its port: the target's own (RFC 9112 section 3.2.2), else Host.
fn host_of(uri: &http::Uri, headers: &HeaderMap, version: Version) -> Result<String, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next().map(HeaderValue::to_str).transpose();
    let header = header.map_err(|_| malformed("Host has a character that is not allowed"))?;
    if hosts.next().is_some() {
        return Err(malformed("the request has more than one Host"));
    }
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if let (Version::HTTP_2, Some(a), Some(h)) = (version, authority, header)
        && !a.eq_ignore_ascii_case(h)
    {
        return Err(malformed(":authority and Host differ"));
    }
    for host in [authority, header].into_iter().flatten() {
        if !is_host(host) {
            return Err(malformed("Host is not a host with an optional port"));
        }
    }
    if uri
        .scheme()
        .is_some_and(|scheme| !["http", "https"].contains(&scheme.as_str()))
    {
        return Err(malformed(
            "the scheme of the request target is not http or https",
        ));
    }
    match authority.or(header) {
        Some(host) => Ok(host.to_ascii_lowercase()),
        None if version == Version::HTTP_10 => Ok(String::new()),
        None => Err(malformed("the request has no Host")),
    }
}

/// `uri-host [":" port]` (RFC 9110 section 7.2), in the letters that names and addresses use.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, after)) = rest.split_once(']') else {
                return false;
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (
                None,
                after
                    .strip_prefix(':')
                    .or((!after.is_empty()).then_some("?")),
            )
        }
        None => match text.split_once(':') {
            Some((name, port)) => (Some(name), Some(port)),
            None => (Some(text), None),
        },
    };
    let name_fits = |n: &str| {
        !n.is_empty()
            && n.len() <= 255
            && n.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    name.is_none_or(name_fits)
        && port.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// RFC 9113 section 8.2.1: no leading or trailing white space, which h2 lets through.
fn check_h2_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let padded = |v: &HeaderValue| v.as_bytes().trim_ascii().len() != v.len();
    if headers.values().any(padded) {
        return Err(malformed("a header value begins or ends with white space"));
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(malformed("the request has more than one Content-Length"));
    }
    Ok(())
}

/// RFC 9113 section 8.2.3: crumbs are joined before they leave HTTP/2.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().count() < 2 {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
        headers.insert(COOKIE, joined);
    }
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        let good = [
            "a.test",
            "a.test:80",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "a_b.test",
            "xn--nxasmq6b",
        ];
        let bad = [
            "", ":80", "a b", "a/b", "u@a", "a:b", "a:70000", "[::1", "[::1]x", "[::z]", "a,b",
            "a:1:2", "a?", "a%20b", "[::1]:", "a\tb", "é",
        ];
        for host in good {
            assert!(is_host(host), "{host}");
        }
        for host in bad {
            // An empty port is legal grammar, but nobody sends one on purpose.
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn connection_cannot_remove_what_authorization_rests_on() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONNECTION,
            HeaderValue::from_static("close, authorization, x-gone, x-forwarded-for"),
        );
        for name in [
            "authorization",
            "x-gone",
            "x-forwarded-for",
            "keep-alive",
            "te",
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "x-forwarded-for"]);
    }
}
