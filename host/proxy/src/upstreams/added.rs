//! What the gateway adds to every request that it forwards.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, VIA};

use crate::ground::via::write_via;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Fields that the gateway adds. They replace those that the request has of these names, but for Via, which goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Added<'a> {
    /// Where the request came from, for one that has no Via yet.
    pub(crate) fields: &'a HeaderMap,
    /// The same as lines of a head.
    pub(crate) lines: &'a [u8],
    /// The version that the client spoke, for Via.
    pub(crate) protocol: &'static str,
    pub(crate) request_id: &'a str,
}

impl Added<'_> {
    /// For a request that has no Via.
    pub(crate) fn append_to(self, head: &mut Vec<u8>) {
        head.extend_from_slice(self.lines);
        head.extend_from_slice(b"x-request-id: ");
        head.extend_from_slice(self.request_id.as_bytes());
        head.extend_from_slice(b"\r\n");
    }

    pub(crate) fn insert_into(self, headers: &mut HeaderMap) {
        for (name, value) in self.fields.iter().filter(|(name, _)| **name != VIA) {
            headers.insert(name, value.clone());
        }
        write_via(headers, self.protocol);
        if let Ok(id) = HeaderValue::from_str(self.request_id) {
            headers.insert(X_REQUEST_ID, id);
        }
    }

    /// Takes out of a request what is added. `changed`: plugins changed its headers; none of a client's come here but
    /// for the id.
    pub(crate) fn clear(self, headers: &mut HeaderMap, changed: bool) {
        headers.remove(X_REQUEST_ID);
        if changed {
            self.fields
                .keys()
                .for_each(|name| drop(headers.remove(name)));
        }
    }
}
