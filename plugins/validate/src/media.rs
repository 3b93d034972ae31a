//! What content types are matched with.

use portcullis_sdk::media::MediaType;

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
        let essence = text.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let bad = || {
            format!(
                "{text:?} is no media type; write \"application/json\", \"*+json\" or \"image/*\""
            )
        };
        if essence == "*/*" {
            return Ok(MediaRange::Any);
        }
        if let Some(suffix) = essence.strip_prefix("*+") {
            return if token(suffix) {
                Ok(MediaRange::Suffix(format!("+{suffix}")))
            } else {
                Err(bad())
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
    pub fn holds(&self, media_type: &MediaType) -> bool {
        let essence = media_type.essence();
        match self {
            MediaRange::Exact(exact) => essence == exact,
            MediaRange::Suffix(suffix) => essence.ends_with(suffix),
            MediaRange::Type(start) => essence.starts_with(start),
            MediaRange::Any => true,
        }
    }

    /// Whether it names one type.
    pub fn is_exact(&self) -> bool {
        matches!(self, MediaRange::Exact(_))
    }

    /// Whether it names JSON.
    pub fn is_json(&self) -> bool {
        match self {
            MediaRange::Exact(exact) => MediaType::parse(exact).is_ok_and(|exact| exact.is_json()),
            MediaRange::Suffix(suffix) => suffix == "+json",
            MediaRange::Type(_) | MediaRange::Any => false,
        }
    }
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
            let media_type = MediaType::parse(content_type).unwrap();
            assert_eq!(range.holds(&media_type), holds, "{range:?} {content_type}");
        }
        for bad in ["", "json", "*", "a/b/c", "*/json", "a/", "*+", "a b/c"] {
            assert!(MediaRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn some_ranges_name_json() {
        for (range, json) in [
            ("application/json", true),
            ("text/json", true),
            ("application/vnd.a+json", true),
            ("*+json", true),
            ("*+xml", false),
            ("text/csv", false),
            ("application/*", false),
            ("*/*", false),
        ] {
            assert_eq!(MediaRange::parse(range).unwrap().is_json(), json, "{range}");
        }
    }
}
