//! The message pair in flight.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::query::{self, QueryError};
use crate::wire::{self, Wire};
use crate::{Denied, Fault, Refusal, Side};

/// A request and, later, its response. Only what is asked for crosses into the plugin.
///
/// The methods about headers and the body mean the message that the callback is about: the request, except in
/// `on_response` and `on_response_body`. [`request`](Exchange::request) and [`response`](Exchange::response)
/// name one of the two.
#[derive(Debug)]
pub struct Exchange<'a> {
    wire: &'a Wire,
    side: Side,
}

/// One of the two messages.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    wire: &'a Wire,
    side: Side,
}

/// How much of a body crosses into the plugin at a time.
const CHUNK: u32 = 1 << 20;

// === impl Exchange ===

impl<'a> Exchange<'a> {
    pub(crate) fn new(wire: &'a Wire, side: Side) -> Self {
        Exchange { wire, side }
    }

    /// The request.
    pub fn request(&self) -> Message<'a> {
        Message {
            wire: self.wire,
            side: Side::Request,
        }
    }

    /// The response; empty until there is one.
    pub fn response(&self) -> Message<'a> {
        Message {
            wire: self.wire,
            side: Side::Response,
        }
    }

    fn message(&self) -> Message<'a> {
        Message {
            wire: self.wire,
            side: self.side,
        }
    }

    /// The method, in the client's case: `GET`.
    pub fn method(&self) -> String {
        self.wire.method()
    }

    /// Changes the method that is forwarded; a filter's request callbacks only. What was authorized stays the
    /// method that the client sent.
    pub fn set_method(&mut self, method: &str) -> Result<(), Denied> {
        self.wire.set_method(method)
    }

    /// Path and query as they will be forwarded: normalised, percent-encoded.
    pub fn target(&self) -> String {
        self.wire.target()
    }

    /// The path as the route was found and the caller authorized by: normalised, and percent-encoded only where a path
    /// cannot hold the character. In the target, the client's spelling stays.
    pub fn path(&self) -> String {
        self.attr("path").unwrap_or_else(|| {
            let mut target = self.target();
            target.truncate(target.find('?').unwrap_or(target.len()));
            target
        })
    }

    /// Changes what is forwarded. An authenticator may change the query only, an authorizer nothing.
    pub fn set_target(&mut self, path_and_query: &str) -> Result<(), Denied> {
        self.wire.set_target(path_and_query)
    }

    /// The only query parameter of this name, decoded once. Twice the same name, or a bad encoding, is an
    /// error that `?` turns into a 400.
    pub fn query_param(&self, name: &str) -> Result<Option<String>, QueryError> {
        query::get(&self.target(), name)
    }

    /// Removes every query parameter of this name and leaves the others untouched; says whether there was one.
    pub fn remove_query_param(&mut self, name: &str) -> Result<bool, Denied> {
        match query::without(&self.target(), name) {
            Some(target) => self.set_target(&target).map(|()| true),
            None => Ok(false),
        }
    }

    /// What the gateway knows: `request.id`, `route`, `client.ip`, `scheme`, `host`, `path`, `caller.id`,
    /// `caller.roles` (comma-separated), `claim.NAME`, `param.NAME`; of a client's certificate `client.cert.subject`
    /// (RFC 4514), `client.cert.fingerprint`, and `client.cert.dns`, `.uri`, `.email`, `.ip` (comma-separated).
    pub fn attr(&self, name: &str) -> Option<String> {
        self.wire.attr(name)
    }

    /// Who was authenticated, if anyone.
    pub fn caller_id(&self) -> Option<String> {
        self.attr("caller.id")
    }

    /// A claim of the caller.
    pub fn claim(&self, name: &str) -> Option<String> {
        self.attr(&format!("claim.{name}"))
    }

    /// A parameter of the route's path, percent-decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        self.attr(&format!("param.{name}"))
    }

    /// The first header of this name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.message().header(name)
    }

    /// The first header of this name.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.message().header_bytes(name)
    }

    /// Replaces every header of this name by one.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.message().set_header(name, value)
    }

    /// Adds a header beside those of the same name.
    pub fn add_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.message().add_header(name, value)
    }

    /// Removes every header of this name.
    pub fn remove_header(&mut self, name: &str) -> Result<(), Denied> {
        self.message().remove_header(name)
    }

    /// The whole body, in the body callbacks.
    pub fn body(&self) -> Result<Vec<u8>, Denied> {
        self.message().body()
    }

    /// The whole body as JSON, in the body callbacks.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.message().json()
    }

    /// Replaces the body, in the body callbacks.
    pub fn replace_body(&mut self, body: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.message().replace_body(body)
    }

    /// Replaces the body by a value as JSON; the content type is left alone.
    pub fn replace_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let body = serde_json::to_vec(value)
            .map_err(|e| Fault::failed(format!("the new body is not JSON: {e}")))?;
        Ok(self.replace_body(body)?)
    }

    /// The status of the response; `None` until there is one.
    pub fn status(&self) -> Option<u16> {
        self.wire.status()
    }

    /// Changes the status of the response.
    pub fn set_status(&mut self, code: u16) -> Result<(), Denied> {
        self.wire.set_status(code)
    }

    /// A note of this exchange, shared by all its callbacks and plugins.
    pub fn var(&self, key: &str) -> Option<Vec<u8>> {
        self.wire.get_var(key)
    }

    /// Leaves a note for later callbacks and plugins of this exchange.
    pub fn set_var(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.wire.set_var(key, value.as_ref())
    }
}

// === impl Message ===

impl Message<'_> {
    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// The status of the exchange's response; `None` until there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        self.wire.status()
    }

    /// The first header of this name, as text; names are case-insensitive. A value that is not UTF-8 has its
    /// bad bytes replaced by U+FFFD: present and wrong is safer than absent.
    pub fn header(&self, name: &str) -> Option<String> {
        self.header_bytes(name).map(wire::text)
    }

    /// The first header of this name.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.wire.header(self.side, name)
    }

    /// Every header of this name.
    pub fn header_all(&self, name: &str) -> Vec<Vec<u8>> {
        self.wire.header_all(self.side, name)
    }

    /// The first header of each name, in one crossing.
    pub fn headers_named(&self, names: &[&str]) -> Vec<Option<Vec<u8>>> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        self.wire.headers_named(self.side, &names)
    }

    /// All headers: name and value. Prefer the ones that are needed; every byte is copied.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.wire
            .headers(self.side)
            .into_iter()
            .map(|field| (field.name, field.value))
            .collect()
    }

    /// Replaces every header of this name by one.
    pub fn set_header(&self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.wire.set_header(self.side, name, value.as_ref())
    }

    /// Adds a header beside those of the same name.
    pub fn add_header(&self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.wire.add_header(self.side, name, value.as_ref())
    }

    /// Removes every header of this name.
    pub fn remove_header(&self, name: &str) -> Result<(), Denied> {
        self.wire.remove_header(self.side, name)
    }

    /// How long the buffered body is; `None` when none is buffered.
    pub fn body_length(&self) -> Option<u64> {
        self.wire.body_length(self.side)
    }

    /// The whole body, in the body callbacks.
    pub fn body(&self) -> Result<Vec<u8>, Denied> {
        let length = self.body_length().ok_or(Denied::NotReady)?;
        let mut body = Vec::with_capacity(usize::try_from(length).map_err(|_| Denied::TooLarge)?);
        while (body.len() as u64) < length {
            let chunk = self.wire.read_body(self.side, body.len() as u64, CHUNK)?;
            if chunk.is_empty() {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The whole body as JSON. A request that is not JSON is refused with 400 and a sentence on where; in place of a
    /// response that is not comes a 502.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body()?).map_err(|error| match self.side {
            Side::Request => Refusal::invalid_request()
                .detail(format!("the body does not fit: {error}"))
                .into(),
            Side::Response => Refusal::bad_gateway()
                .because(format!("the response does not fit: {error}"))
                .into(),
        })
    }

    /// Replaces the body. The gateway sets the length.
    pub fn replace_body(&self, body: impl AsRef<[u8]>) -> Result<(), Denied> {
        self.wire.replace_body(self.side, body.as_ref())
    }
}
