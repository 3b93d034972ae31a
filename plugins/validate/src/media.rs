//! Content types and what they are matched with.

/// A content type, or many: `application/json`, `*+json`, `image/*`, `*/*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaRange {
    // In the order in which they are asked.
    Exact(String),
    Suffix(String),
    Type(String),
    Any,
}

// === impl MediaRange ===

impl MediaRange {
    /// Parses one; its parameters count for nothing.
    pub fn parse(text: &str) -> Result<MediaRange, String> {
        let essence = essence(text);
        let bad = || {
            format!(
                "{text:?} is no media type; write \"application/json\", \"*+json\" or \"image/*\""
            )
        };
        if essence == "*/*" {
            return Ok(MediaRange::Any);
        }
        if let Some(suffix) = essence.strip_prefix("*+") {
            return match token(suffix) {
                true => Ok(MediaRange::Suffix(format!("+{suffix}"))),
                false => Err(bad()),
            };
        }
        match essence.split_once('/') {
            Some((kind, "*")) if token(kind) => Ok(MediaRange::Type(format!("{kind}/"))),
            Some((kind, subtype)) if token(kind) && token(subtype) => {
                Ok(MediaRange::Exact(essence))
            }
            _ => Err(bad()),
        }
    }

    /// Whether it holds what a message says of itself.
    pub fn holds(&self, content_type: &str) -> bool {
        let essence = essence(content_type);
        match self {
            MediaRange::Exact(exact) => essence == *exact,
            MediaRange::Suffix(suffix) => essence.ends_with(suffix),
            MediaRange::Type(start) => essence.starts_with(start),
            MediaRange::Any => true,
        }
    }
}

/// Whether a body of this type is JSON.
pub fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Whether the charset, if there is one, is UTF-8: JSON has no other (RFC 8259 section 8.1).
pub fn is_utf8(content_type: &str) -> bool {
    content_type.split(';').skip(1).all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|known| value.eq_ignore_ascii_case(known))
    })
}

fn essence(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_range_holds_what_it_says() {
        for (range, content_type, holds) in [
            ("application/json", "Application/JSON; charset=utf-8", true),
            ("application/json; v=1", "application/json", true),
            ("application/json", "application/jsonp", false),
            ("*+json", "application/problem+json", true),
            ("*+json", "application/json", false),
            ("image/*", "image/png", true),
            ("image/*", "imagex/png", false),
            ("*/*", "a/b", true),
        ] {
            let range = MediaRange::parse(range).unwrap();
            assert_eq!(range.holds(content_type), holds, "{range:?} {content_type}");
        }
        for bad in ["", "json", "*", "a/b/c", "*/json", "a/", "*+", "a b/c"] {
            assert!(MediaRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_utf8() {
        assert!(is_utf8("application/json") && is_utf8("a/b; Charset=\"UTF-8\""));
        assert!(!is_utf8("application/json; charset=utf-16"));
        assert!(is_json("a/b+json; x=y") && !is_json("text/plain"));
    }
}
