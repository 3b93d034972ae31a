//! `Vary` (RFC 9110 section 12.5.5): what else of the request an answer depends on.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, VARY};

use crate::ground::fields;

/// Adds a field's name unless it, or `*`, is there.
pub(super) fn add(headers: &mut HeaderMap, name: &HeaderName) {
    let covers = |listed: &str| listed == "*" || listed.eq_ignore_ascii_case(name.as_str());
    if !fields::elements(headers, &VARY).any(covers) {
        headers.append(VARY, HeaderValue::from_name(name.clone()));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use http::header::{ACCEPT_ENCODING, ORIGIN};

    use super::*;

    #[test]
    fn a_name_is_said_once() {
        let table: [(&[&str], &[&str]); 6] = [
            (&[], &["origin"]),
            (&["Origin"], &["Origin"]),
            (&["accept, ORIGIN"], &["accept, ORIGIN"]),
            (&["*"], &["*"]),
            (&["accept-encoding"], &["accept-encoding", "origin"]),
            (&["original"], &["original", "origin"]),
        ];
        for (before, after) in table {
            let mut headers = HeaderMap::new();
            for value in before {
                headers.append(VARY, value.parse().unwrap());
            }
            add(&mut headers, &ORIGIN);
            let seen: Vec<_> = headers.get_all(VARY).iter().collect();
            assert_eq!(seen, after, "{before:?}");
        }
        let mut headers = HeaderMap::new();
        add(&mut headers, &ORIGIN);
        add(&mut headers, &ACCEPT_ENCODING);
        assert_eq!(headers.get_all(VARY).iter().count(), 2);
    }
}
