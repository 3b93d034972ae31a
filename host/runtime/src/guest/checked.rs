//! Checks of what a guest says. Everything is text from a stranger.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::guest::contract::types::{Denied, Field};
use crate::text::printable;

/// How many headers one message may have after plugins; hyper's map panics past 32,768.
pub(crate) const MAX_HEADERS: usize = 256;
pub(crate) const MAX_HEADER_VALUE: usize = 16 * 1024;

/// Names that plugins may set: everything but what the gateway owns (RFC 9110 section 7.6.1, framing and Host).
pub(crate) fn settable_name(name: &str) -> Result<HeaderName, Denied> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Denied::Invalid)?;
    let owned = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if owned.contains(&name.as_str()) {
        Err(Denied::Forbidden)
    } else {
        Ok(name)
    }
}

/// Removes what is another spelling of this name with `_` for `-`: servers that hand headers on as variables (CGI,
/// WSGI, PHP) cannot tell the two apart, and a client's must not stand where a plugin has put its own or none.
pub(crate) fn forget_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    let same = |other: &HeaderName| {
        let folded = |b: u8| if b == b'_' { b'-' } else { b };
        let (a, b) = (other.as_str().bytes(), name.as_str().bytes());
        other != name && a.map(folded).eq(b.map(folded))
    };
    while let Some(other) = headers.keys().find(|other| same(other)).cloned() {
        headers.remove(other);
    }
}

/// Headers that a plugin made, or what is wrong with them.
pub(crate) fn checked_headers(fields: Vec<Field>) -> Result<HeaderMap, String> {
    if fields.len() > MAX_HEADERS {
        return Err(format!("{} headers, more than {MAX_HEADERS}", fields.len()));
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let shown = printable(&field.name, 64);
        let name = settable_name(&field.name).map_err(|denied| match denied {
            Denied::Forbidden => format!("header `{shown}` belongs to the gateway"),
            _ => format!("`{shown}` is not a header name"),
        })?;
        if field.value.len() > MAX_HEADER_VALUE {
            return Err(format!(
                "the value of header `{shown}` is larger than {MAX_HEADER_VALUE} bytes"
            ));
        }
        let value = HeaderValue::from_maybe_shared(Bytes::from(field.value))
            .map_err(|_| format!("the value of header `{shown}` has a byte that HTTP forbids"))?;
        headers
            .try_append(name, value)
            .map_err(|_| "too many headers".to_owned())?;
    }
    Ok(headers)
}

/// 1xx and numbers outside 200–599 are not a plugin's to send.
pub(crate) fn final_status(code: u16) -> Option<StatusCode> {
    StatusCode::from_u16(code)
        .ok()
        .filter(|s| (200..600).contains(&s.as_u16()))
}

/// Methods that a plugin may send or change to: not the two that mean something to proxies (RFC 9110 sections
/// 9.3.6 and 9.3.8).
pub(crate) fn usable_method(text: &str) -> Option<Method> {
    Method::from_bytes(text.as_bytes())
        .ok()
        .filter(|method| portcullis_syntax::method::check(method.as_str()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_a_name_is_forgotten() {
        let names = [
            "x-user-id",
            "x_user_id",
            "x_user-id",
            "x-user",
            "xuserid",
            "x-user-id2",
        ];
        for (name, left) in [
            (
                "x-user-id",
                &["x-user", "x-user-id", "x-user-id2", "xuserid"][..],
            ),
            (
                "x_user_id",
                &["x-user", "x-user-id2", "x_user_id", "xuserid"],
            ),
            ("x-other", &names),
        ] {
            let value = HeaderValue::from_static("1");
            let mut headers: HeaderMap = names
                .iter()
                .map(|name| (HeaderName::from_static(name), value.clone()))
                .collect();
            forget_spellings(&mut headers, &HeaderName::from_static(name));
            let mut left = left.to_vec();
            left.sort_unstable();
            let mut kept: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            kept.sort_unstable();
            assert_eq!(kept, left, "{name}");
        }
    }
}
