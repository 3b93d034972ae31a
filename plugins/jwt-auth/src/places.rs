//! Where a request carries its token, and taking it out there.

use portcullis_sdk::prelude::*;

use crate::problem::Problem;

/// The places that are looked at, `authorization` always.
#[derive(Debug, Default)]
pub struct Places {
    /// A cookie.
    pub cookie: Option<String>,
    /// A query parameter.
    pub query: Option<String>,
    /// A WebSocket subprotocol `NAME.<token>`.
    pub subprotocol: Option<String>,
    /// Leaves `authorization` as it is.
    pub forward: bool,
}

/// A header that is a list, without the items that are ours.
struct Sifted {
    found: Vec<String>,
    rest: Vec<Vec<u8>>,
}

// === impl Places ===

impl Places {
    /// The one token of the request. All places are read: two tokens that differ mean that someone is being talked
    /// into using another's, so neither counts.
    pub fn take(&self, x: &mut Exchange) -> Result<String, Fault> {
        let mut found = self.header(x)?;
        if let Some(name) = &self.cookie {
            let cookie = |item: &[u8]| {
                let value = item.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                Some(text(value))
            };
            found.extend(sift(x, "cookie", b';', "; ", cookie)?);
        }
        if let Some(name) = &self.subprotocol {
            let offer = |item: &[u8]| {
                let value = item.strip_prefix(name.as_bytes())?.strip_prefix(b".")?;
                Some(text(value))
            };
            found.extend(sift(x, "sec-websocket-protocol", b',', ", ", offer)?);
        }
        if let Some(name) = &self.query {
            let value = x.query_param(name).map_err(|_| Problem::Query)?;
            // Out of the target, so that it ends neither in the service nor in its logs.
            x.remove_query_param(name)?;
            found.extend(value);
        }
        let first = found.pop().ok_or(Problem::Missing)?;
        if found.iter().any(|other| *other != first) {
            return Err(Problem::Several.into());
        }
        Ok(first)
    }

    /// Tokens of the scheme Bearer; other schemes are not ours, and stay.
    fn header(&self, x: &mut Exchange) -> Result<Vec<String>, Fault> {
        let all = x.request().header_all("authorization");
        let found: Vec<String> = all.iter().filter_map(|value| bearer(value)).collect();
        if !found.is_empty() && !self.forward {
            x.remove_header("authorization")?;
            for other in all.iter().filter(|value| bearer(value).is_none()) {
                x.add_header("authorization", other)?;
            }
        }
        Ok(found)
    }
}

/// RFC 9110 section 11.1: the scheme is case-insensitive.
fn bearer(header: &[u8]) -> Option<String> {
    let (scheme, token) = header.split_at_checked("bearer".len())?;
    let ours = scheme.eq_ignore_ascii_case(b"bearer") && token.first().is_none_or(|b| *b == b' ');
    ours.then(|| text(token.trim_ascii()))
}

/// Takes our items out of a header that is a list.
fn sift(
    x: &mut Exchange,
    header: &str,
    separator: u8,
    joint: &str,
    ours: impl Fn(&[u8]) -> Option<String>,
) -> Result<Vec<String>, Fault> {
    let mut sifted = Sifted {
        found: Vec::new(),
        rest: Vec::new(),
    };
    for line in x.request().header_all(header) {
        for item in line.split(|b| *b == separator).map(<[u8]>::trim_ascii) {
            match ours(item) {
                Some(token) => sifted.found.push(token),
                None if item.is_empty() => {}
                None => sifted.rest.push(item.to_vec()),
            }
        }
    }
    if !sifted.found.is_empty() {
        if sifted.rest.is_empty() {
            x.remove_header(header)?;
        } else {
            x.set_header(header, sifted.rest.join(joint.as_bytes()))?;
        }
    }
    Ok(sifted.found)
}

/// What is not UTF-8 is no token, but it is there.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
