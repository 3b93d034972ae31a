//! The query of a target: read strictly, cut without touching the rest.
//!
//! Pairs are `&`-separated `name=value` (the form encoding of the URL standard): `+` is a space, `%XX` a byte,
//! and the bytes must be UTF-8. A `%` that is no escape is an error and not a literal, because the next reader
//! may see it differently.

use std::fmt;

use crate::{Fault, Refusal};

/// Why a query parameter cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryError {
    /// It is there more than once: readers disagree on which one counts.
    Repeated,
    /// A `%` without two hex digits, or bytes that are not UTF-8.
    Encoding,
}

/// The value of the only parameter with this name.
pub(crate) fn get(target: &str, name: &str) -> Result<Option<String>, QueryError> {
    let Some((_, query)) = target.split_once('?') else {
        return Ok(None);
    };
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !is(key, name) {
            continue;
        }
        if found.replace(value).is_some() {
            return Err(QueryError::Repeated);
        }
    }
    found
        .map(|value| decode(value).ok_or(QueryError::Encoding))
        .transpose()
}

/// The target without any parameter of this name; `None` when there is none.
pub(crate) fn without(target: &str, name: &str) -> Option<String> {
    let (path, query) = target.split_once('?')?;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !is(pair.split('=').next().unwrap_or(""), name))
        .collect();
    if kept.len() == query.split('&').count() {
        return None;
    }
    Some(if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    })
}

/// A key that cannot be decoded is nobody's name: it does not hide the parameters beside it.
fn is(key: &str, name: &str) -> bool {
    key == name || (key.contains(['%', '+']) && decode(key).as_deref() == Some(name))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|n| u8::try_from(n).ok())
}

// === impl QueryError ===

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QueryError::Repeated => "a query parameter is there more than once",
            QueryError::Encoding => "a query parameter is not percent-encoded UTF-8",
        })
    }
}

impl std::error::Error for QueryError {}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Fault {
        Refusal::invalid_request().detail(error.to_string()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_once() {
        let target = "/x?a=1&tma=user%253D1%2B+%26&b";
        assert_eq!(get(target, "tma"), Ok(Some("user%3D1+ &".to_owned())));
        assert_eq!(get(target, "b"), Ok(Some(String::new())));
        assert_eq!(get(target, "c"), Ok(None));
        assert_eq!(get("/x", "a"), Ok(None));
    }

    #[test]
    fn an_encoded_name_is_the_same_name() {
        assert_eq!(get("/x?t%6Da=1", "tma"), Ok(Some("1".to_owned())));
        assert_eq!(get("/x?t%6Da=1&tma=2", "tma"), Err(QueryError::Repeated));
        assert_eq!(without("/x?t%6Da=1&a=2", "tma"), Some("/x?a=2".to_owned()));
    }

    #[test]
    fn a_bad_escape_is_an_error_and_hides_nothing() {
        assert_eq!(get("/x?tma=%zz", "tma"), Err(QueryError::Encoding));
        assert_eq!(get("/x?tma=%ff", "tma"), Err(QueryError::Encoding));
        assert_eq!(get("/x?tma=%4", "tma"), Err(QueryError::Encoding));
        assert_eq!(get("/x?%zz=1&tma=2", "tma"), Ok(Some("2".to_owned())));
    }

    #[test]
    fn cutting_leaves_the_rest_as_it_was() {
        assert_eq!(without("/x?tma=1", "tma"), Some("/x".to_owned()));
        assert_eq!(
            without("/x?a=%2f&tma&b=+&tma=2", "tma"),
            Some("/x?a=%2f&b=+".to_owned())
        );
        assert_eq!(without("/x?atma=1", "tma"), None);
        assert_eq!(without("/x", "tma"), None);
    }
}
