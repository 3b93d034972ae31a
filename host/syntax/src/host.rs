//! Hosts: one spelling for each (RFC 9110 section 7.2, RFC 3986 section 3.2.2).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// `uri-host [":" port]` in the one spelling that is routed, forwarded and compared: lower case, without the dot that
/// makes a name fully qualified, addresses in their canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authority {
    text: Arc<str>,
    /// Without the port.
    host: Arc<str>,
}

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

impl Authority {
    /// Reads `a.test`, `A.Test.:8080`, `192.0.2.1` or `[2001:db8::1]:80`. None for anything else: user information,
    /// an empty port, an empty label, a name whose last label is a number but which is no IPv4 address.
    pub fn parse(text: &str) -> Option<Authority> {
        let (host, port) = split_port(text)?;
        let host: Arc<str> = canonical(host)?.into();
        let text = match port {
            Some(port) => format!("{host}:{port}").into(),
            None => host.clone(),
        };
        Some(Authority { text, host })
    }

    /// The host without its port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// Host and port; empty where a request named none.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// The one spelling of a host without a port. None where it is no host.
pub fn canonical(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if looks_like_a_number(last) {
        // `127.1` and `0x7f.0.0.1` are 127.0.0.1 for some resolvers and names for others.
        let address: Ipv4Addr = name.parse().ok()?;
        return Some(address.to_string());
    }
    Some(name.to_ascii_lowercase())
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let after_host = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(after_host)?;
    if rest.is_empty() {
        return Some((host, None));
    }
    port(rest.strip_prefix(':')?).map(|port| (host, Some(port)))
}

/// One to five digits that fit.
pub(crate) fn port(digits: &str) -> Option<u16> {
    let fits = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| fits)
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_~".contains(&b))
}

/// Whether a resolver that knows `inet_aton` could take it for a part of an address.
fn looks_like_a_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_host_is_one() {
        let rows = [
            ("a.test", "a.test", "a.test"),
            ("A.Test.", "a.test", "a.test"),
            ("a.test.:8080", "a.test", "a.test:8080"),
            ("a.test:0080", "a.test", "a.test:80"),
            ("localhost", "localhost", "localhost"),
            ("a_b.test", "a_b.test", "a_b.test"),
            ("xn--nxasmq6b", "xn--nxasmq6b", "xn--nxasmq6b"),
            ("1password.test", "1password.test", "1password.test"),
            ("127.0.0.1:8080", "127.0.0.1", "127.0.0.1:8080"),
            ("127.0.0.1.", "127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]", "[::1]"),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]", "[::1]:80"),
            ("[2001:DB8::A]", "[2001:db8::a]", "[2001:db8::a]"),
        ];
        for (text, host, whole) in rows {
            let read = Authority::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((&**read.host(), read.as_str()), (host, whole), "{text}");
        }
    }

    #[test]
    fn what_could_be_another_host_is_none() {
        let long_label = format!("{}.test", "a".repeat(64));
        let long_name = ["a".repeat(63).as_str(); 4].join(".");
        let bad = [
            "",
            ".",
            "..",
            ":80",
            "a.test..",
            ".a.test",
            "a..test",
            "a b",
            "a/b",
            "u@a",
            "a:b",
            "a:",
            "a:+80",
            "a:70000",
            "a:000080",
            "[::1",
            "[::1]x",
            "[::z]",
            "[::1]:",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "::1",
            "a,b",
            "a:1:2",
            "a?",
            "a%20b",
            "%61.test",
            "a\tb",
            "é",
            "127.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "127.0.0.01",
            "127.0.0.1.5",
            "a.0x",
            &long_label,
            &long_name,
        ];
        for text in bad {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_longest_names_pass() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(name.len(), MAX_NAME);
        assert_eq!(canonical(&name).as_deref(), Some(&*name));
        assert_eq!(canonical(&format!("{name}.")).as_deref(), Some(&*name));
        assert_eq!(canonical(&format!("{name}b")), None);
    }

    #[test]
    fn no_host_is_empty() {
        let none = Authority::default();
        assert!(none.is_empty() && none.host().is_empty() && none.as_str().is_empty());
        assert!(Authority::parse("a").is_some_and(|read| !read.is_empty()));
    }
}
