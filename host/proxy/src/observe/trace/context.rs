//! W3C Trace Context: what an exchange and its steps are called in a trace, as headers say it.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use portcullis_exchange::Ids;

use crate::ground::fields;

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Who asked, in whose trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) sampled: bool,
    /// What vendors keep of the trace; it stays in the request.
    pub(super) state: Box<str>,
}

/// Characters of all tracestate fields together (section 3.3.1.5 asks for 512 at the least).
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

/// The parent of whatever the receiver does (section 3.2).
pub(super) fn write(ids: Ids) -> HeaderValue {
    let mut text = *b"00-________________________________-________________-00";
    // The places are as long as the numbers.
    let _ = hex::encode_to_slice(ids.trace.to_be_bytes(), &mut text[3..35]);
    let _ = hex::encode_to_slice(ids.span.to_be_bytes(), &mut text[36..52]);
    text[54] = b'0' + u8::from(ids.sampled);
    HeaderValue::from_bytes(&text).expect("digits and dashes")
}

/// Takes out what is not believed.
pub(super) fn forget(headers: &mut HeaderMap) {
    headers.remove(TRACEPARENT);
    headers.remove(TRACESTATE);
}

impl Parent {
    /// The one that a request names. A `traceparent` that is not one, or more than one, is none at all; a bad
    /// `tracestate` is taken out and leaves the parent as it is (section 4.3).
    pub(super) fn of(headers: &mut HeaderMap) -> Option<Parent> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let line = lines.next().filter(|_| lines.next().is_none())?;
        let (trace, span, sampled) = parse(line.to_str().ok()?)?;
        let state = state(headers).unwrap_or_else(|| {
            headers.remove(TRACESTATE);
            Box::default()
        });
        Some(Parent {
            trace,
            span,
            sampled,
            state,
        })
    }
}

/// `version-traceid-parentid-flags`, in lower case (section 3.2.2). Of a version to come, what this one knows.
fn parse(text: &str) -> Option<(u128, u64, bool)> {
    let is_hex = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = text.splitn(5, '-');
    let mut part = |length| parts.next().filter(|p| p.len() == length && is_hex(p));
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let more = parts.next();
    if version == "ff" || (version == "00" && more.is_some()) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, span, flags & 1 == 1))
}

/// All fields as one list (section 3.3.1); None where it is not one.
fn state(headers: &HeaderMap) -> Option<Box<str>> {
    let mut all = String::new();
    for line in headers.get_all(TRACESTATE) {
        let between = if all.is_empty() { "" } else { "," };
        all = all + between + line.to_str().ok()?;
    }
    let mut names: Vec<&str> = Vec::new();
    for member in fields::list(&all) {
        let (name, value) = member.split_once('=')?;
        if names.contains(&name) || !is_key(name) || !is_value(value) {
            return None;
        }
        names.push(name);
    }
    (all.len() <= LONGEST_STATE && names.len() <= MOST_MEMBERS).then(|| all.into())
}

/// Section 3.3.1.3.1, `tenant@system` included.
fn is_key(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let (tenant, system) = match name.split_once('@') {
        Some((tenant, system)) => (tenant, Some(system)),
        None => (name, None),
    };
    let begins = |part: &str, digit: bool| {
        part.bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || (digit && b.is_ascii_digit()))
    };
    let whole = match system {
        None => begins(tenant, false) && tenant.len() <= 256,
        Some(system) => {
            begins(tenant, true)
                && tenant.len() <= 241
                && begins(system, false)
                && system.len() <= 14
                && !system.contains('@')
        }
    };
    whole && name.bytes().all(fits)
}

/// Section 3.3.1.3.2: printable, without `,` and `=`, not ending in a space.
fn is_value(value: &str) -> bool {
    let fits = |b: u8| (b' '..=b'~').contains(&b) && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(fits) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::try_from(*value).expect("a value"));
        }
        headers
    }

    #[test]
    fn a_parent_is_read_strictly_and_of_versions_to_come_what_is_known() {
        let trace = u128::from_str_radix(TRACE, 16).expect("hexadecimal");
        let good = [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-02"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-ff"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01"), true),
            (
                format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future"),
                true,
            ),
        ];
        for (text, sampled) in good {
            let wanted = Some((trace, 0x00f0_67aa_0ba9_02b7, sampled));
            assert_eq!(parse(&text), wanted, "{text}");
        }
        let bad = [
            String::new(),
            TRACE.to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-0x"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0f067aa0ba902b7-01"),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01.what"),
            format!("00_{TRACE}_00f067aa0ba902b7_01"),
            format!("00-{}-00f067aa0ba902b7-01", "+".repeat(32)),
        ];
        for text in bad {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    #[test]
    fn two_parents_are_none_and_a_bad_state_leaves_the_parent() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let mut twice = headers(&[("traceparent", &parent), ("traceparent", &parent)]);
        assert_eq!(Parent::of(&mut twice), None);
        let good: &[&[&str]] = &[
            &["a=1"],
            &["a=1,b=2", "c=3"],
            &["a=1 , b=2"],
            &["t1@v=x", "0t@v=y"],
            &["", "a=b"],
            &["a= b"],
        ];
        for lines in good {
            let states = lines.iter().map(|line| ("tracestate", *line));
            let all: Vec<_> = states.chain([("traceparent", parent.as_str())]).collect();
            let mut headers = headers(&all);
            let found = Parent::of(&mut headers).expect("a parent");
            assert!(!found.state.is_empty(), "{lines:?}");
            assert_eq!(headers.get_all(TRACESTATE).iter().count(), lines.len());
        }
        let long = format!("a={}", "x".repeat(257));
        let many: Vec<String> = (0..33).map(|n| format!("k{n}=v")).collect();
        let bad = [
            "a",
            "A=1",
            "1=1",
            "a=",
            "a=1,a=2",
            "a=b=c",
            "@v=1",
            "t@=1",
            "t@v@w=1",
            "a=\u{e4}",
            &long,
            &many.join(","),
        ];
        for line in bad {
            let mut headers = headers(&[("traceparent", &parent), ("tracestate", line)]);
            let found = Parent::of(&mut headers).expect("a parent all the same");
            assert_eq!(&*found.state, "", "{line}");
            assert!(!headers.contains_key(TRACESTATE), "{line}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for sampled in [true, false] {
            let ids = Ids {
                trace: 1,
                span: u64::MAX,
                sampled,
            };
            let text = write(ids);
            let read = parse(text.to_str().expect("ASCII"));
            assert_eq!(read, Some((ids.trace, ids.span, sampled)));
        }
    }
}
