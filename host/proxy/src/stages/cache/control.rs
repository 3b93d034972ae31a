//! Cache-Control (RFC 9111 section 5.2) and CDN-Cache-Control (RFC 9213): from text to flags and seconds.
//!
//! Whatever is malformed makes a response staler, never fresher: section 4.2.1 allows it, and a response that is
//! asked for once too often harms nobody.

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, PRAGMA};
use http::{HeaderMap, header};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::ground::fields;

const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What a response says of storing it. Times are in seconds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) stale_while_revalidate: Option<u64>,
    pub(super) stale_if_error: Option<u64>,
    /// Fields that `no-cache="…"` and `private="…"` keep out of the store.
    pub(super) withheld: Vec<HeaderName>,
    /// It is CDN-Cache-Control that says so: Cache-Control and Expires are for others (RFC 9213 section 2.1).
    pub(super) targeted: bool,
}

/// What a request wants of a cache (RFC 9111 section 5.2.1). Times are in seconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
    pub(super) max_age: Option<u64>,
    pub(super) min_fresh: Option<u64>,
    /// `u64::MAX`: however stale.
    pub(super) max_stale: Option<u64>,
}

/// One member of the list.
struct Directive<'a> {
    /// Lower case.
    name: String,
    value: Option<Cow<'a, str>>,
    /// White space around `=`, a string that does not end, or a type that no directive has.
    malformed: bool,
}

// === impl Says ===

impl Says {
    pub(super) fn of(headers: &HeaderMap) -> Says {
        if headers.contains_key(CDN_CACHE_CONTROL)
            && let Some(targeted) = Says::targeted(headers)
        {
            return targeted;
        }
        let mut says = Says::default();
        for value in headers.get_all(CACHE_CONTROL) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for member in fields::list_with_strings(&text) {
                says.add(&Directive::parse(member));
            }
        }
        says
    }

    /// None: not a Dictionary (RFC 9651 section 3.2), an empty one, or a directive of the wrong type. The field is then
    /// ignored.
    fn targeted(headers: &HeaderMap) -> Option<Says> {
        let lines = headers.get_all(CDN_CACHE_CONTROL).into_iter();
        let lines: Vec<&[u8]> = lines.map(HeaderValue::as_bytes).collect();
        let dictionary: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let mut says = Says {
            targeted: true,
            ..Says::default()
        };
        for (name, member) in &dictionary {
            says.add(&Directive::structured(name.as_str(), member)?);
        }
        Some(says)
    }

    fn add(&mut self, directive: &Directive<'_>) {
        let sound = !directive.malformed;
        match directive.name.as_str() {
            "no-store" => self.no_store = true,
            "no-cache" if directive.lists_fields() => directive.fields_into(&mut self.withheld),
            "no-cache" => self.no_cache = true,
            "private" if directive.lists_fields() => directive.fields_into(&mut self.withheld),
            "private" => self.private = true,
            "public" if sound => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            "max-age" => directive.seconds_into(&mut self.max_age),
            "s-maxage" => directive.seconds_into(&mut self.s_maxage),
            "stale-while-revalidate" => directive.seconds_into(&mut self.stale_while_revalidate),
            "stale-if-error" => directive.seconds_into(&mut self.stale_if_error),
            _ => {}
        }
    }

    /// RFC 9111 section 3.5: what lets a shared cache keep the response to a request with credentials.
    pub(super) fn is_for_all(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }

    /// A stale response may not be used without asking (section 4.2.4).
    pub(super) fn forbids_stale(&self) -> bool {
        self.must_revalidate || self.proxy_revalidate || self.no_cache || self.s_maxage.is_some()
    }
}

// === impl Wish ===

impl Wish {
    pub(super) fn of(headers: &HeaderMap) -> Wish {
        let mut wish = Wish::default();
        if !headers.contains_key(CACHE_CONTROL) {
            // RFC 9111 section 5.4: only where there is nothing newer.
            let asks = |v: &HeaderValue| v.as_bytes().eq_ignore_ascii_case(b"no-cache");
            wish.no_cache = headers.get(PRAGMA).is_some_and(asks);
            return wish;
        }
        for value in headers.get_all(header::CACHE_CONTROL) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for member in fields::list_with_strings(&text) {
                wish.add(&Directive::parse(member));
            }
        }
        wish
    }

    fn add(&mut self, directive: &Directive<'_>) {
        match directive.name.as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => directive.seconds_into(&mut self.max_age),
            "min-fresh" => directive.seconds_into(&mut self.min_fresh),
            "max-stale" if directive.value.is_none() => self.max_stale = Some(u64::MAX),
            "max-stale" => directive.seconds_into(&mut self.max_stale),
            _ => {}
        }
    }

    /// Whether any response that is fresh will do.
    pub(super) fn is_plain(&self) -> bool {
        *self == Wish::default()
    }
}

// === impl Directive ===

impl<'a> Directive<'a> {
    fn parse(text: &'a str) -> Directive<'a> {
        let Some((name, value)) = text.split_once('=') else {
            return Directive {
                name: text.to_ascii_lowercase(),
                value: None,
                malformed: false,
            };
        };
        let spaced = name.ends_with([' ', '\t']) || value.starts_with([' ', '\t']);
        let (value, whole) = unquoted(value.trim_matches([' ', '\t']));
        Directive {
            name: name.trim_matches([' ', '\t']).to_ascii_lowercase(),
            value: Some(value),
            malformed: spaced || !whole,
        }
    }

    /// A member of a Dictionary. None: not of the type that the directive has.
    fn structured(name: &str, member: &'a ListEntry) -> Option<Directive<'a>> {
        let timed = matches!(
            name,
            "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error"
        );
        let item = match member {
            ListEntry::Item(item) => Some(&item.bare_item),
            ListEntry::InnerList(_) => None,
        };
        let (value, malformed) = match item {
            Some(BareItem::Integer(seconds)) if timed => {
                let seconds = u64::try_from(i64::from(*seconds)).ok()?;
                (Some(Cow::Owned(seconds.to_string())), false)
            }
            _ if timed => return None,
            Some(BareItem::Boolean(true)) => (None, false),
            Some(BareItem::String(text)) => (Some(Cow::Borrowed(text.as_str())), false),
            Some(BareItem::Token(text)) => (Some(Cow::Borrowed(text.as_str())), false),
            _ => (None, true),
        };
        Some(Directive {
            name: name.to_owned(),
            value,
            malformed,
        })
    }

    fn lists_fields(&self) -> bool {
        !self.malformed && self.value.as_ref().is_some_and(|value| !value.is_empty())
    }

    fn fields_into(&self, fields: &mut Vec<HeaderName>) {
        let value = self.value.as_deref().unwrap_or_default();
        let names =
            fields::list(value).filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        fields.extend(names);
    }

    /// Not a number, or two that differ: none at all. Digits without end are as long as can be (section 1.2.2).
    fn seconds_into(&self, seconds: &mut Option<u64>) {
        let value = self.value.as_deref().unwrap_or_default();
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let read = if digits && !self.malformed {
            value.parse().unwrap_or(u64::MAX)
        } else {
            0
        };
        *seconds = match *seconds {
            Some(before) if before != read => Some(0),
            _ => Some(read),
        };
    }
}

/// A token as it is, a quoted string without its quotes; false where the string does not end.
fn unquoted(value: &str) -> (Cow<'_, str>, bool) {
    let Some(inner) = value.strip_prefix('"') else {
        return (Cow::Borrowed(value), true);
    };
    match inner.strip_suffix('"') {
        Some(inner) if inner.contains('\\') => (Cow::Owned(inner.replace('\\', "")), true),
        Some(inner) => (Cow::Borrowed(inner), !inner.contains('"')),
        None => (Cow::Borrowed(inner), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&'static str]) -> Says {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
        }
        Says::of(&headers)
    }

    #[test]
    fn a_malformed_age_is_no_freshness() {
        let cases: &[(&[&str], Option<u64>)] = &[
            (&["max-age=3600"], Some(3600)),
            (&["MAX-AGE=\"3600\""], Some(3600)),
            (&["max-age=003600"], Some(3600)),
            (&["max-age=99999999999999999999"], Some(u64::MAX)),
            (&["max-age='3600'"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age"], Some(0)),
            (&["max-age=3600.0"], Some(0)),
            (&["max-age =3600"], Some(0)),
            (&["max-age= 3600"], Some(0)),
            (&["max-age=\"3600"], Some(0)),
            (&["max-age=60, max-age=60"], Some(60)),
            (&["max-age=60", "max-age=90"], Some(0)),
            (&["x=\"max-age=3600\", max-age=1"], Some(1)),
            (&["x=\"a\\\", max-age=9\", max-age=1"], Some(1)),
            (&["public"], None),
        ];
        for (lines, wanted) in cases {
            assert_eq!(said(lines).max_age, *wanted, "{lines:?}");
        }
    }

    #[test]
    fn flags_are_read_in_any_case_and_field_forms_withhold_fields() {
        let says = said(&["No-StOrE , private=\"Set-Cookie, a\"", "no-cache=b, public"]);
        assert!(says.no_store && says.public && !says.private && !says.no_cache);
        assert_eq!(says.withheld, ["set-cookie", "a", "b"]);
        let says = said(&["private, no-cache"]);
        assert!(says.private && says.no_cache && says.withheld.is_empty());
        // A string that does not end hides nothing: the whole response is withheld.
        assert!(said(&["private=\"a"]).private);
    }

    #[test]
    fn cdn_cache_control_counts_only_where_it_is_a_dictionary() {
        let cases = [
            ("max-age=10", true, Some(10)),
            ("no-store", true, None),
            ("max-age=10, foo", true, Some(10)),
            ("max-age=10;x=1", true, Some(10)),
            ("max-age=\"10\"", false, Some(5)),
            ("max-age=10, &&&&", false, Some(5)),
            ("Max-Age=10", false, Some(5)),
            ("max-age =10", false, Some(5)),
            ("max-age=-1", false, Some(5)),
            ("max-age=1.5", false, Some(5)),
            ("max-age", false, Some(5)),
            ("max-age=1000000000000000", false, Some(5)),
            ("max-age=1,", false, Some(5)),
            ("max-age=1, foo=(1 2);x, max-age=2", true, Some(2)),
            ("foo=:AA==:, max-age=3", true, Some(3)),
            ("", false, Some(5)),
        ];
        for (text, targeted, max_age) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
            headers.insert(CDN_CACHE_CONTROL, HeaderValue::from_static(text));
            let says = Says::of(&headers);
            assert_eq!((says.targeted, says.max_age), (targeted, max_age), "{text}");
        }
    }

    #[test]
    fn a_flag_of_another_type_never_makes_a_response_shareable() {
        let mut headers = HeaderMap::new();
        let lines = ["public=?0, no-store=?0", "private=(\"a\" \"b\")"];
        for line in lines {
            headers.append(CDN_CACHE_CONTROL, HeaderValue::from_static(line));
        }
        let says = Says::of(&headers);
        assert!(says.targeted && says.no_store && says.private && !says.public);
        headers.insert(
            CDN_CACHE_CONTROL,
            HeaderValue::from_static("private=\"Set-Cookie, a\", no-cache=b"),
        );
        let says = Says::of(&headers);
        assert!(!says.private && !says.no_cache);
        assert_eq!(says.withheld, ["set-cookie", "a", "b"]);
    }

    #[test]
    fn pragma_counts_where_there_is_no_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("No-Cache"));
        assert!(Wish::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-stale"));
        let wish = Wish::of(&headers);
        assert_eq!((wish.no_cache, wish.max_stale), (false, Some(u64::MAX)));
    }
}
