//! Admission: what a request means, decided once. Nothing later reads Host, the target, hop-by-hop or forwarding
//! headers again, so what was authorized is what is forwarded.

use std::sync::Arc;

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    TRAILER,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Version};
use hyper::body::Incoming;
use portcullis_exchange::{Exchange, Side, Target};
use portcullis_syntax::headers::speaks_for_a_caller;
use portcullis_syntax::{Authority, PathRules};

use crate::ground::refusal::{Reason, Refusal};
use crate::ground::sift::sift;
use crate::ground::trailers;
use crate::observe::record::Doubts;
use crate::stages::ending::Ending;
use crate::stages::forwarded::{self, LastSaid, Provenance};
use crate::stages::peer::Peer;
use crate::stages::tunnel::{self, Handshake, Wish};

/// A request that may be routed.
pub(crate) struct Arrival {
    pub(crate) x: Exchange,
    /// The body, of which nothing was read.
    pub(crate) incoming: Incoming,
    /// What is sent to the upstream besides the exchange's own headers.
    pub(crate) provenance: Provenance,
    /// The client asks to speak WebSocket.
    pub(crate) wish: Option<Wish>,
    pub(crate) ending: Ending,
    /// What of the request was not believed, for the log.
    pub(crate) doubts: Doubts,
}

/// Admits or refuses a request head.
pub(crate) fn admit(
    mut request: Request<Incoming>,
    peer: Peer<'_>,
    (request_id, now_ms): (Arc<str>, u64),
    last: &LastSaid,
) -> Result<Arrival, Refusal> {
    let upgrade = tunnel::prepare(&mut request);
    let (mut parts, incoming) = request.into_parts();
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
    let host = host_of(&uri, &headers, version, last)?;
    let target = target_of(&uri, peer.admission.paths)?;
    check_headers(&mut headers, version)?;
    headers.remove(HOST);
    let trailers = trailers::announced(&headers, Side::Request);
    let mut client = forwarded::believe(&headers, peer, &host, version, last);
    let dropped = sift(&mut headers, &peer.admission.headers, peer.is_trusted());
    // Plugins may take out what they read; it has spoken for somebody all the same.
    client.provenance.credentials = peer.certificate.is_some() || speak_for_a_caller(&headers);
    headers.extend(trailers.map(|names| (TRAILER, names)));
    let x = Exchange {
        method,
        target,
        request: headers,
        request_id,
        host: host.host().clone(),
        scheme: client.scheme,
        client_ip: client.ip,
        client_certificate: peer.certificate.cloned(),
        now_ms,
        ..Exchange::default()
    };
    let ending = Ending {
        version,
        connects: handshake == Some(Handshake::Connect),
    };
    Ok(Arrival {
        x,
        incoming,
        provenance: client.provenance,
        wish: Wish::of(upgrade, handshake),
        ending,
        doubts: Doubts {
            dropped,
            not_understood: client.not_understood,
        },
    })
}

/// Whether a field says or proves who asks. A cookie does so in a way of its own.
pub(crate) fn speak_for_a_caller(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| speaks_for_a_caller(name.as_str()))
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedRequest)
        .detail(detail)
        .closing()
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    portcullis_syntax::method::check(method.as_str()).map_err(|error| {
        Refusal::new(Reason::MethodNotSupported)
            .detail(error.to_string())
            .closing()
    })
}

/// The one host of a request, in its one spelling: the target's own (RFC 9112 section 3.2.2), else Host. Empty where
/// an HTTP/1.0 request names none.
fn host_of(
    uri: &http::Uri,
    headers: &HeaderMap,
    version: Version,
    last: &LastSaid,
) -> Result<Authority, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(malformed("the request has more than one Host"));
    }
    let read = |text: &[u8]| {
        let host = last.host(text);
        host.ok_or_else(|| malformed("Host is not a host with an optional port"))
    };
    let header = header.map(read).transpose()?;
    let authority = uri
        .authority()
        .map(|a| read(a.as_str().as_bytes()))
        .transpose()?;
    if let (Version::HTTP_2, Some(a), Some(h)) = (version, &authority, &header)
        && a != h
    {
        return Err(malformed(":authority and Host differ"));
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
        Some(host) => Ok(host),
        None if version == Version::HTTP_10 => Ok(Authority::default()),
        None => Err(malformed("the request has no Host")),
    }
}

fn target_of(uri: &http::Uri, paths: PathRules) -> Result<Target, Refusal> {
    let target = uri.path_and_query().cloned();
    let target = target.ok_or_else(|| malformed("the request target has no path"))?;
    Target::new(target, paths).map_err(|error| malformed(&error.to_string()))
}

fn check_headers(headers: &mut HeaderMap, version: Version) -> Result<(), Refusal> {
    if version == Version::HTTP_2 {
        check_h2_headers(headers)?;
        join_cookies(headers);
    }
    check_single(headers)
}

/// Fields that decide who asks and how a body is read stand once (RFC 9110 section 5.3): of two lines, one program
/// takes the first and another the last.
fn check_single(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    const SINGLE: [(HeaderName, &str); 3] = [
        (AUTHORIZATION, "the request has more than one Authorization"),
        (CONTENT_TYPE, "the request has more than one Content-Type"),
        (ORIGIN, "the request has more than one Origin"),
    ];
    for (name, detail) in SINGLE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(malformed(detail));
        }
    }
    Ok(())
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
