//! The handshake: RFC 6455 section 4 over HTTP/1.1, RFC 8441 over HTTP/2. To the server it is always the former.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};
use hyper::ext::Protocol;
use sha1::{Digest, Sha1};

use super::control::random;
use crate::ground::fields::elements;
use crate::ground::refusal::{Reason, Refusal};

/// A client's wish to speak WebSocket, found well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// `Upgrade: websocket` with its Sec-WebSocket-Key.
    Upgrade(HeaderValue),
    /// Extended CONNECT, which has no key.
    Connect,
}

/// What a server agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    /// `permessage-deflate` (RFC 7692).
    pub(super) compressed: bool,
}

const VERSION: HeaderValue = HeaderValue::from_static("13");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const DEFLATE: &str = "permessage-deflate";
/// RFC 6455 section 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// === impl Handshake ===

impl Handshake {
    /// None: the request is about something else.
    pub(crate) fn read(parts: &Parts) -> Result<Option<Handshake>, Refusal> {
        let headers = &parts.headers;
        let handshake = match (&parts.method, parts.version) {
            (&Method::CONNECT, Version::HTTP_2) if speaks_websocket(parts) => Handshake::Connect,
            (&Method::GET, Version::HTTP_11) if asks_for_websocket(headers) => {
                Handshake::Upgrade(read_key(headers)?)
            }
            _ => return Ok(None),
        };
        let bodied = headers.contains_key(TRANSFER_ENCODING)
            || headers
                .get(CONTENT_LENGTH)
                .is_some_and(|length| length != "0");
        if bodied {
            return Err(malformed("a WebSocket handshake has no body"));
        }
        let mut versions = headers.get_all(SEC_WEBSOCKET_VERSION).iter();
        if versions.next() != Some(&VERSION) || versions.next().is_some() {
            // RFC 6455 section 4.4: the answer names the versions that would do.
            let mut refusal = Refusal::new(Reason::UpgradeRequired)
                .detail("this gateway speaks WebSocket version 13");
            refusal.headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
            refusal.headers.insert(UPGRADE, WEBSOCKET);
            return Err(refusal.closing());
        }
        Ok(Some(handshake))
    }

    /// Turns the headers of a request into those of the handshake with the server.
    pub(super) fn ask(&self, headers: &mut HeaderMap) -> HeaderValue {
        let key = match self {
            Handshake::Upgrade(key) => key.clone(),
            Handshake::Connect => new_key(),
        };
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
        headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        // Frames are judged as they pass, which only works for extensions that are known.
        let offers: Vec<&str> = elements(headers, &SEC_WEBSOCKET_EXTENSIONS)
            .filter(|offer| names_deflate(offer))
            .collect();
        match HeaderValue::try_from(offers.join(", ")) {
            Ok(known) if !known.is_empty() => headers.insert(SEC_WEBSOCKET_EXTENSIONS, known),
            _ => headers.remove(SEC_WEBSOCKET_EXTENSIONS),
        };
        key
    }

    /// Turns the headers of the server's answer into those for the client; its status.
    pub(super) fn answer(&self, headers: &mut HeaderMap) -> StatusCode {
        headers.remove(CONTENT_LENGTH);
        match self {
            Handshake::Upgrade(key) => {
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, WEBSOCKET);
                headers.insert(SEC_WEBSOCKET_ACCEPT, accept(key));
                StatusCode::SWITCHING_PROTOCOLS
            }
            // RFC 8441 section 5: neither of them is used.
            Handshake::Connect => {
                headers.remove(SEC_WEBSOCKET_ACCEPT);
                StatusCode::OK
            }
        }
    }
}

/// Whether a server's 101 is an answer to what it was asked (RFC 6455 section 4.1, the client's second list).
pub(super) fn check(
    asked: &HeaderMap,
    key: &HeaderValue,
    answered: &HeaderMap,
) -> Result<Agreed, &'static str> {
    let is_websocket = |protocol: &str| protocol.eq_ignore_ascii_case("websocket");
    if !elements(answered, &UPGRADE).any(is_websocket) {
        return Err("its 101 does not name WebSocket");
    }
    if answered.get(SEC_WEBSOCKET_ACCEPT) != Some(&accept(key)) {
        return Err("its Sec-WebSocket-Accept is not the one of the key");
    }
    let chosen = answered
        .get(SEC_WEBSOCKET_PROTOCOL)
        .map(HeaderValue::as_bytes);
    let offered = |chosen: &[u8]| {
        elements(asked, &SEC_WEBSOCKET_PROTOCOL).any(|offer| offer.as_bytes() == chosen)
    };
    if !chosen.is_none_or(offered) {
        return Err("it chose a subprotocol that was not offered");
    }
    let extensions = || elements(answered, &SEC_WEBSOCKET_EXTENSIONS);
    let offered = elements(asked, &SEC_WEBSOCKET_EXTENSIONS).any(names_deflate);
    if extensions().any(|extension| !offered || !names_deflate(extension)) {
        return Err("it chose an extension that was not offered");
    }
    Ok(Agreed {
        compressed: extensions().next().is_some(),
    })
}

/// `Sec-WebSocket-Accept` for a key.
fn accept(key: &HeaderValue) -> HeaderValue {
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(GUID)
        .finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is a header value")
}

/// 16 bytes that nobody can foretell.
fn new_key() -> HeaderValue {
    let bytes = [random(), random()].concat();
    HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 is a header value")
}

/// The one key, base64 of 16 bytes.
fn read_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16) => {
            Ok(key.clone())
        }
        _ => Err(malformed(
            "Sec-WebSocket-Key is not one value of 16 bytes in base64",
        )),
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedRequest)
        .detail(detail)
        .closing()
}

/// RFC 8441 section 4.
fn speaks_websocket(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let lists = |name, token: &str| elements(headers, &name).any(|t| t.eq_ignore_ascii_case(token));
    lists(CONNECTION, "upgrade") && lists(UPGRADE, "websocket")
}

fn names_deflate(extension: &str) -> bool {
    let name = extension.split(';').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case(DEFLATE)
}
