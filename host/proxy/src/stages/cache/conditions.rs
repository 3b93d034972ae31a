//! What a request makes its answer depend on: If-None-Match, If-Modified-Since, Range, If-Range (RFC 9110 sections
//! 13 and 14), answered from a stored response.

use std::ops::Range;

use http::header::{
    ETAG, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, StatusCode};

use super::stored::Head;
use crate::ground::fields;

/// The conditions in a request's headers.
pub(super) struct Conditions<'a>(&'a HeaderMap);

/// What of a body is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Range(Range<usize>),
    /// Beyond its end.
    Outside,
}

/// Fields that must not reach the upstream when the whole response is wanted for the store.
const OWN: [HeaderName; 4] = [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE];

impl<'a> Conditions<'a> {
    pub(super) fn of(request: &'a HeaderMap) -> Conditions<'a> {
        Conditions(request)
    }

    /// Whether the client has this response already. If-None-Match takes precedence (RFC 9110 section 13.2.2).
    pub(super) fn holds(&self, head: &Head) -> bool {
        if head.status != StatusCode::OK {
            return false;
        }
        if self.0.contains_key(IF_NONE_MATCH) {
            return self.names_etag(head.headers.get(ETAG));
        }
        let since = date(self.0.get(IF_MODIFIED_SINCE));
        let modified = date(head.headers.get(LAST_MODIFIED));
        matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
    }

    /// Weak comparison (section 8.8.3.2).
    fn names_etag(&self, etag: Option<&HeaderValue>) -> bool {
        let opaque = |tag: &'a [u8]| tag.strip_prefix(b"W/").unwrap_or(tag);
        let known = etag.map(|etag| {
            etag.as_bytes()
                .strip_prefix(b"W/")
                .unwrap_or(etag.as_bytes())
        });
        self.0.get_all(IF_NONE_MATCH).iter().any(|value| {
            if value.as_bytes() == b"*" || Some(opaque(value.as_bytes())) == known {
                return true;
            }
            let Ok(text) = value.to_str() else {
                return false;
            };
            fields::list_with_strings(text).any(|tag| Some(opaque(tag.as_bytes())) == known)
        })
    }

    /// One range of a complete 200; several, or a unit that is not bytes, are the whole (section 14.2).
    pub(super) fn part(&self, head: &Head, length: usize) -> Part {
        let asked = self.0.get(RANGE).and_then(|value| value.to_str().ok());
        let Some(asked) = asked.filter(|_| head.status == StatusCode::OK && self.range_fits(head))
        else {
            return Part::Whole;
        };
        part(asked, length)
    }

    /// If-Range: strong comparison, or the very same date (section 13.1.5).
    fn range_fits(&self, head: &Head) -> bool {
        let Some(wanted) = self.0.get(IF_RANGE) else {
            return true;
        };
        if wanted.as_bytes().starts_with(b"\"") {
            return head.headers.get(ETAG) == Some(wanted);
        }
        date(Some(wanted)).is_some() && head.headers.get(LAST_MODIFIED) == Some(wanted)
    }

    pub(super) fn wants_range(&self) -> bool {
        self.0.contains_key(RANGE)
    }
}

/// Conditions that only the upstream may judge (RFC 9111 section 4.3.2).
pub(super) fn are_for_the_upstream(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE)
}

/// Takes the client's conditions out of a request.
pub(super) fn take(request: &mut HeaderMap) -> HeaderMap {
    let mut taken = HeaderMap::new();
    for name in OWN {
        if let http::header::Entry::Occupied(entry) = request.entry(&name) {
            let (_, values) = entry.remove_entry_mult();
            for value in values {
                taken.append(name.clone(), value);
            }
        }
    }
    taken
}

/// Puts them back in the place of ours.
pub(super) fn put_back(request: &mut HeaderMap, taken: HeaderMap) {
    OWN.iter().for_each(|name| drop(request.remove(name)));
    let mut last = None;
    for (name, value) in taken {
        last = name.or(last);
        if let Some(name) = &last {
            request.append(name.clone(), value);
        }
    }
}

/// Asks the upstream whether a stored response is still the one.
pub(super) fn ask_by(request: &mut HeaderMap, head: &Head) {
    for (field, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        if let Some(value) = head.headers.get(validator) {
            request.insert(field, value.clone());
        }
    }
}

fn date(value: Option<&HeaderValue>) -> Option<std::time::SystemTime> {
    httpdate::parse_http_date(value?.to_str().ok()?).ok()
}

fn part(asked: &str, length: usize) -> Part {
    let Some((first, last)) = asked
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() && first < length => Part::Range(first..length),
        (Some(first), Some(last)) if first <= last && first < length => {
            Part::Range(first..last.saturating_add(1).min(length))
        }
        (None, Some(suffix)) if first.is_empty() && suffix > 0 && length > 0 => {
            Part::Range(length.saturating_sub(suffix)..length)
        }
        (Some(first), Some(last)) if first <= last => Part::Outside,
        (Some(_), _) if last.is_empty() => Part::Outside,
        (None, Some(_)) if first.is_empty() => Part::Outside,
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_and_everything_odd_is_whole() {
        let cases = [
            ("bytes=0-1", Part::Range(0..2)),
            ("bytes=1-", Part::Range(1..10)),
            ("bytes=-3", Part::Range(7..10)),
            ("bytes=-99", Part::Range(0..10)),
            ("bytes=5-99", Part::Range(5..10)),
            ("bytes=9-9", Part::Range(9..10)),
            ("bytes=0-99999999999999999999999", Part::Range(0..10)),
            ("bytes=10-", Part::Outside),
            ("bytes=10-12", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=2-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes= 0-1", Part::Whole),
        ];
        for (asked, wanted) in cases {
            assert_eq!(part(asked, 10), wanted, "{asked}");
        }
        assert_eq!(part("bytes=0-0", 0), Part::Outside);
        assert_eq!(part("bytes=-1", 0), Part::Outside);
    }
}
