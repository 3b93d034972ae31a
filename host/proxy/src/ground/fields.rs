//! Fields whose value is a comma-separated list (RFC 9110 section 5.6.1).
//!
//! Elements come without the white space around them, and empty elements are skipped, as a recipient must.

use http::HeaderMap;
use http::header::HeaderName;

/// The elements of all lines of a field, in order. A line that is not text has none.
pub(crate) fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(list)
}

/// The elements of one line, where a comma always separates.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    whole(text.split(','))
}

/// The elements of one line, where a comma within a quoted string does not separate.
pub(crate) fn list_with_strings(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    whole(text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    }))
}

fn whole<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    parts
        .map(|part| part.trim_matches([' ', '\t']))
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::VARY;

    use super::*;

    #[test]
    fn several_lines_are_one_list_without_empty_elements() {
        let mut headers = HeaderMap::new();
        for line in ["a, b ,,\tc", "", "\u{e9}, x", " , d"] {
            let line = HeaderValue::from_bytes(line.as_bytes()).expect("a value");
            headers.append(VARY, line);
        }
        let seen: Vec<&str> = elements(&headers, &VARY).collect();
        assert_eq!(seen, ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_comma_within_a_string_does_not_separate() {
        let cases: [(&str, &[&str]); 5] = [
            ("a=\"x, y\", b", &["a=\"x, y\"", "b"]),
            ("\"\\\", x\", b", &["\"\\\", x\"", "b"]),
            ("a\\, b", &["a\\", "b"]),
            ("\"a, b", &["\"a, b"]),
            (", ,", &[]),
        ];
        for (text, wanted) in cases {
            assert_eq!(
                list_with_strings(text).collect::<Vec<_>>(),
                wanted,
                "{text}"
            );
        }
    }
}
