//! What proxies say of where a request came from: `X-Forwarded-For`, `X-Forwarded-Proto`, and `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv6Addr};

use crate::host;

/// One end of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// In its canonical form: an IPv4 address is never mapped into IPv6.
    Address(IpAddr),
    /// `unknown`, an obfuscated name, or what is no node at all: somebody, but nobody knows who.
    Unknown,
}

/// How a request came to the first proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// One element of `Forwarded`: what one proxy says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// `for`
    pub node: Option<Node>,
    /// `host`, unquoted.
    pub host: Option<String>,
    /// `proto`, unquoted.
    pub proto: Option<String>,
}

// === impl Node ===

impl Node {
    /// Reads an entry of `X-Forwarded-For` or the value of `for`: an address, with a port or without, an IPv6 address
    /// in brackets or without, the whole of it in quotes or not.
    pub fn parse(text: &str) -> Node {
        let text = text.trim_matches([' ', '\t']);
        let text = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(text);
        address(text).map_or(Node::Unknown, |ip| Node::Address(ip.to_canonical()))
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Node::Address(ip) => ip.fmt(f),
            Node::Unknown => f.write_str("unknown"),
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, after) = rest.split_once(']')?;
        let ip: Ipv6Addr = ip.parse().ok()?;
        return is_port(after).then_some(ip.into());
    }
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let (ip, _) = text.split_once(':')?;
    is_port(&text[ip.len()..]).then_some(())?;
    ip.parse().ok().map(IpAddr::V4)
}

/// Nothing, or `:` with a port, which may be obfuscated (RFC 7239 section 6.2).
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else {
        return text.is_empty();
    };
    match port.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_obfuscated),
        None => host::port(port).is_some(),
    }
}

fn is_obfuscated(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"._-".contains(&b)
}

// === impl Scheme ===

impl Scheme {
    /// Reads `X-Forwarded-Proto` or `proto` in any case. Of a list, as two proxies write it, the first counts: the one
    /// that the client spoke. `ws` and `wss` are the schemes of a WebSocket's handshake.
    pub fn parse(text: &str) -> Option<Scheme> {
        let first = text.split(',').next().unwrap_or(text);
        let first = first.trim_matches([' ', '\t']);
        let is = |name: &str| first.eq_ignore_ascii_case(name);
        if is("https") || is("wss") {
            Some(Scheme::Https)
        } else if is("http") || is("ws") {
            Some(Scheme::Http)
        } else {
            None
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

// === Forwarded ===

/// Reads one line of `Forwarded` into its elements (RFC 7239 section 4). None where it is not valid.
///
/// An empty element is a hop that says nothing, although RFC 9110 section 5.6.1.2 has readers of lists ignore it: what
/// stands before it is not what the nearest proxy says.
pub fn elements(line: &str) -> Option<Vec<Element>> {
    let mut rest = Cursor(line);
    let mut all = Vec::new();
    loop {
        rest.space();
        let is_empty = rest.0.is_empty() || rest.0.starts_with(',');
        all.push(if is_empty {
            Element::default()
        } else {
            element(&mut rest)?
        });
        rest.space();
        if rest.0.is_empty() {
            return Some(all);
        }
        if !rest.take(',') {
            return None;
        }
    }
}

fn element(rest: &mut Cursor<'_>) -> Option<Element> {
    let mut element = Element::default();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let name = rest.token()?.to_ascii_lowercase();
        rest.take('=').then_some(())?;
        let value = rest.value()?;
        // Section 4: a parameter stands once in an element.
        if seen.contains(&name) {
            return None;
        }
        match &*name {
            "for" => element.node = Some(Node::parse(&value)),
            "host" => element.host = Some(value),
            "proto" => element.proto = Some(value),
            _ => {}
        }
        seen.push(name);
        rest.space();
        if !rest.take(';') {
            return Some(element);
        }
        rest.space();
    }
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// RFC 9110 section 5.6.2.
    fn token(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|b| !crate::wire::is_token_byte(b));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, or a quoted string without its quotes (RFC 9110 section 5.6.4).
    fn value(&mut self) -> Option<String> {
        if !self.take('"') {
            // Many write addresses with a port, and names, without the quotes that `:` asks for.
            let end = self.0.find([',', ';', ' ', '\t', '"']);
            let (value, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
            self.0 = rest;
            return (!value.is_empty()).then(|| value.to_owned());
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                _ => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_address_however_it_is_written() {
        for (text, want) in [
            ("203.0.113.9", "203.0.113.9"),
            (" 203.0.113.9\t", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("\"203.0.113.9:4711\"", "203.0.113.9"),
            ("203.0.113.9:_port", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:DB8::1]:5", "2001:db8::1"),
            ("\"[2001:db8::1]:65535\"", "2001:db8::1"),
            ("\"2001:db8::1\"", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ] {
            let want = Node::Address(want.parse().expect("an address"));
            assert_eq!(Node::parse(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_somebody_unknown() {
        for text in [
            "",
            "unknown",
            "_hidden",
            "203.0.113.9:_a!b",
            "_SEVKISEK",
            "a.test",
            "203.0.113",
            "203.0.113.09",
            "203.0.113.256",
            "203.0.113.9:",
            "203.0.113.9:65536",
            "203.0.113.9:a",
            "203.0.113.9:_",
            "203.0.113.9:1:2",
            "203.0.113.9/32",
            "203.0.113.9 10.0.0.1",
            "[203.0.113.9]",
            "[2001:db8::1",
            "[2001:db8::1]5",
            "[2001:db8::1]:",
            "fe80::1%eth0",
            "0x7f000001",
            "\"203.0.113.9",
            "\"\"",
            "'203.0.113.9'",
        ] {
            assert_eq!(Node::parse(text), Node::Unknown, "{text}");
        }
        assert_eq!(Node::Unknown.to_string(), "unknown");
        assert_eq!(Node::parse("[::1]:1").to_string(), "::1");
    }

    #[test]
    fn a_scheme_is_read_in_any_case_and_from_a_list() {
        for (text, want) in [
            ("https", Some(Scheme::Https)),
            ("HTTPS", Some(Scheme::Https)),
            ("https,http", Some(Scheme::Https)),
            (" https , http", Some(Scheme::Https)),
            ("http, https", Some(Scheme::Http)),
            ("wss", Some(Scheme::Https)),
            ("WS", Some(Scheme::Http)),
            ("", None),
            (",https", None),
            ("on", None),
            ("https/1.1", None),
            ("\"https\"", None),
        ] {
            assert_eq!(Scheme::parse(text), want, "{text}");
        }
        assert_eq!(
            (Scheme::Http.as_str(), Scheme::Https.as_str()),
            ("http", "https")
        );
    }

    fn element(node: &str, host: &str, proto: &str) -> Element {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Element {
            node: text(node).map(|text| Node::parse(&text)),
            host: text(host),
            proto: text(proto),
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_writes_it() {
        let rows: [(&str, &[Element]); 11] = [
            (
                "for=9.9.9.9;proto=https",
                &[element("9.9.9.9", "", "https")],
            ),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                &[element("2001:db8:cafe::17", "", "")],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                &[element("192.0.2.60", "", "http")],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17",
                &[
                    element("192.0.2.43", "", ""),
                    element("198.51.100.17", "", ""),
                ],
            ),
            ("for=_hidden", &[element("_hidden", "", "")]),
            (
                "for=unknown;host=\"a.test:80\"",
                &[element("unknown", "a.test:80", "")],
            ),
            (
                "for=9.9.9.9:80;host=a.test:80",
                &[element("9.9.9.9", "a.test:80", "")],
            ),
            (
                "proto=\"ht\\tps\" ; host=\"a, b; for=1.1.1.1\",, by=x",
                &[
                    element("", "a, b; for=1.1.1.1", "https"),
                    element("", "", ""),
                    element("", "", ""),
                ],
            ),
            (
                "for=9.9.9.9, ",
                &[element("9.9.9.9", "", ""), element("", "", "")],
            ),
            ("", &[element("", "", "")]),
            (" ,", &[element("", "", ""), element("", "", "")]),
        ];
        for (line, want) in rows {
            assert_eq!(elements(line).as_deref(), Some(want), "{line}");
        }
    }

    #[test]
    fn what_is_not_forwarded_is_not_read() {
        for line in [
            "9.9.9.9",
            "for",
            "for=",
            "for=;proto=http",
            "=9.9.9.9",
            "for=1.1.1.1;for=2.2.2.2",
            "for=1.1.1.1;FOR=2.2.2.2",
            "for=\"1.1.1.1",
            "for=\"1.1.1.1\\",
            "for=1.1.1.1 proto=http",
            "for=1.1.1.1;",
            "for=\"1.1.1.1\"x",
            "for =1.1.1.1",
            "for= 1.1.1.1",
        ] {
            assert_eq!(elements(line), None, "{line}");
        }
    }
}
