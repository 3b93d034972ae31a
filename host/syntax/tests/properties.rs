//! Generated spellings: what a reader accepts, a model that shares no line with it reads the same way.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;

use portcullis_syntax::forwarding::{Node, elements};
use portcullis_syntax::headers::is_ambiguous;
use portcullis_syntax::{Authority, PathParameters, PathRules, Target};
use proptest::prelude::*;
use proptest::sample::select;

/// What paths are made of: plain segments, and all that was ever used to have two programs read two paths.
const PIECES: &[&str] = &[
    "/",
    "/",
    "/",
    "admin",
    "x",
    "a.b",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    ";",
    ";a=b",
    "%3b",
    "%2f",
    "%5c",
    "\\",
    "%20",
    "%c3%a9",
    "%c0%ae",
    "%e0%80%af",
    "%25",
    "%252e",
    ".php",
    "(S(a))",
    "::$DATA",
    "%3f",
    "%00",
    "~",
    "~1",
    "%41",
    "@",
    "%40",
    "%3a",
    ":$",
    ".aspx",
    "%28S(a)%29",
    "%ff",
];

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(select(PIECES), 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn rules() -> impl Strategy<Value = PathRules> {
    let parameters = select(&[
        PathParameters::Refuse,
        PathParameters::Remove,
        PathParameters::Forward,
    ]);
    (parameters, any::<[bool; 3]>()).prop_map(|(parameters, [iis, php, cgi])| PathRules {
        parameters,
        iis,
        php,
        cgi,
    })
}

/// A path as RFC 3986 section 5.2.4 reads it: its segments, decoded, or None above the root.
fn model(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match &*decoded(segment) {
            b"." => {}
            b".." => drop(kept.pop()?),
            other => kept.push(other.to_vec()),
        }
    }
    Some(kept)
}

/// Every byte of a segment percent-encoded.
fn encoded(segment: &str) -> String {
    decoded(segment)
        .iter()
        .map(|b| format!("%{b:02x}"))
        .collect()
}

fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// How a servlet container reads a path: parameters go first.
fn servlet(path: &str) -> Option<Vec<Vec<u8>>> {
    let cut: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default())
        .collect();
    model(&cut.join("/"))
}

/// How a WSGI server reads a path that decodes the whole before it looks at it.
fn decoded_first(path: &str) -> Option<Vec<Vec<u8>>> {
    let text: String = decoded(path).iter().map(|b| char::from(*b)).collect();
    let mut kept: Vec<String> = Vec::new();
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()?),
            other => kept.push(other.to_owned()),
        }
    }
    let bytes = |segment: String| segment.chars().map(|c| c as u8).collect();
    Some(kept.into_iter().map(bytes).collect())
}

/// How Windows reads a path: dots and spaces at the end of a segment go.
fn windows(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let decoded = decoded(segment);
        match &*decoded {
            b"." => {}
            b".." => drop(kept.pop()?),
            other => {
                let end = other.iter().rposition(|b| !b". ".contains(b));
                kept.push(other[..end.map_or(0, |end| end + 1)].to_vec());
            }
        }
    }
    Some(kept)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn an_accepted_path_has_one_reading(raw in path()) {
        let Ok(target) = Target::parse_by(&raw, PathRules::default()) else { return Ok(()) };
        let read = model(target.path());
        prop_assert!(read.is_some());
        prop_assert_eq!(&read, &model(&raw), "{} became {}", raw, target.path());
        for (who, theirs) in [
            ("a servlet container", servlet as fn(&str) -> _),
            ("a WSGI server", decoded_first),
            ("Windows", windows),
        ] {
            prop_assert_eq!(&theirs(&raw), &read, "{} as {} reads it", raw, who);
            prop_assert_eq!(&theirs(target.path()), &read, "{} as {} reads it", target.path(), who);
        }
    }

    #[test]
    fn a_normal_path_stays_as_it_is(raw in path(), rules in rules()) {
        let Ok(once) = Target::parse_by(&raw, rules) else { return Ok(()) };
        let twice = Target::parse_by(once.as_str(), rules);
        prop_assert_eq!(twice.as_ref(), Ok(&once), "{}", raw);
        for segment in once.path().split('/') {
            prop_assert!(!matches!(segment, "." | ".."), "{}", once.path());
        }
        prop_assert!(!once.path().contains("//"));
    }

    #[test]
    fn paths_that_decode_alike_are_compared_alike(raw in path(), other in path(), rules in rules()) {
        let Ok(target) = Target::parse_by(&raw, rules) else { return Ok(()) };
        let compared = target.canonical_path();
        prop_assert_eq!(model(compared), model(target.path()), "{} became {}", raw, compared);
        // As an eager client writes it: whatever may be encoded is.
        let encoded: String = compared.split('/').map(encoded).collect::<Vec<_>>().join("/");
        if let Ok(same) = Target::parse_by(&encoded, rules) {
            prop_assert_eq!(same.canonical_path(), compared, "{}", encoded);
        }
        if let Ok(other) = Target::parse_by(&other, rules) {
            let alike = model(other.path()) == model(target.path())
                && other.path().ends_with('/') == target.path().ends_with('/');
            prop_assert_eq!(alike, other.canonical_path() == compared, "{} and {}", raw, other.path());
        }
    }

    #[test]
    fn what_is_removed_is_what_a_servlet_container_removes(raw in path()) {
        let rules = PathRules { parameters: PathParameters::Remove, ..PathRules::default() };
        let Ok(target) = Target::parse_by(&raw, rules) else { return Ok(()) };
        prop_assert!(!target.path().contains(';'));
        prop_assert_eq!(model(target.path()), servlet(&raw), "{}", raw);
    }

    #[test]
    fn stricter_rules_accept_no_more(raw in path(), rules in rules()) {
        if Target::parse_by(&raw, PathRules::default()).is_ok() {
            prop_assert!(Target::parse_by(&raw, rules).is_ok());
        }
    }

    #[test]
    fn a_host_has_one_spelling(
        labels in prop::collection::vec("[a-zA-Z0-9_-]{1,12}", 1..4),
        dot in any::<bool>(),
        port in prop::option::of(any::<u16>()),
        zeros in 0_usize..2,
    ) {
        let name = labels.join(".");
        let dotted = if dot { format!("{name}.") } else { name.clone() };
        let text = port.map_or(dotted.clone(), |port| format!("{dotted}:{}{port}", "0".repeat(zeros)));
        let whatwg = url_host(&name);
        match Authority::parse(&text) {
            Some(read) => {
                prop_assert_eq!(&**read.host(), name.to_ascii_lowercase());
                prop_assert_eq!(Some(read.host().to_string()), whatwg, "{}", text);
                let again = Authority::parse(read.as_str());
                prop_assert_eq!(again.as_ref(), Some(&read));
            }
            // A number at the end, or a port of more than five digits.
            None => prop_assert!(whatwg.is_none() || zeros > 0, "{}", text),
        }
    }

    #[test]
    fn no_other_text_is_a_host(text in "[ -~]{0,16}") {
        let Some(read) = Authority::parse(&text) else { return Ok(()) };
        let host = read.host();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_~.[]:".contains(&b);
        prop_assert!(host.bytes().all(plain) && !host.ends_with('.') && !host.starts_with('.'));
        prop_assert!(text.to_ascii_lowercase().contains(&**host) || host.parse::<IpAddr>().is_ok() || host.starts_with('['));
    }

    #[test]
    fn an_address_is_the_same_in_every_spelling(bits in any::<u128>(), v4 in any::<bool>(), port in any::<u16>(), pad in "[ \t]{0,2}") {
        let ip = if v4 { IpAddr::V4((bits as u32).into()) } else { IpAddr::V6(bits.into()) };
        let mut spellings = vec![ip.to_string(), format!("\"{ip}\"")];
        match ip {
            IpAddr::V4(ip) => {
                spellings.extend([format!("{ip}:{port}"), format!("\"{ip}:{port}\""), format!("::ffff:{ip}"), format!("[::ffff:{ip}]:{port}")]);
            }
            IpAddr::V6(v6) => {
                let long = v6.segments().map(|part| format!("{part:04X}")).join(":");
                spellings.extend([format!("[{ip}]"), format!("[{ip}]:{port}"), format!("\"[{ip}]:{port}\""), long]);
            }
        }
        for text in spellings {
            let read = Node::parse(&format!("{pad}{text}{pad}"));
            prop_assert_eq!(read, Node::Address(ip.to_canonical()), "{}", text);
        }
    }

    #[test]
    fn no_other_text_is_an_address(text in "[0-9a-f:.\\[\\]\"_ ]{0,24}") {
        if let Node::Address(ip) = Node::parse(&text) {
            let inner: String = text.chars().filter(|c| !"\"[] ".contains(*c)).collect();
            let without_port = inner.rsplit_once(':').map_or(&*inner, |(ip, _)| ip);
            let candidates = [inner.as_str(), without_port].map(|text| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()));
            prop_assert!(candidates.contains(&Some(ip)), "{} is read as {}", text, ip);
        }
    }

    #[test]
    fn forwarded_reads_back_what_was_written(
        nodes in prop::collection::vec((any::<u32>(), "[ -~]{0,8}", any::<bool>()), 1..5),
    ) {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let lines: Vec<String> = nodes
            .iter()
            .map(|(ip, host, first)| {
                let node = format!("for={}", std::net::Ipv4Addr::from(*ip));
                let host = format!("host=\"{}\"", quoted(host));
                if *first { format!("{node};{host}") } else { format!("{host} ; {node}") }
            })
            .collect();
        let read = elements(&lines.join(" , ")).unwrap();
        prop_assert_eq!(read.len(), nodes.len());
        for (element, (ip, host, _)) in read.iter().zip(&nodes) {
            prop_assert_eq!(element.node, Some(Node::Address(IpAddr::V4((*ip).into()))));
            prop_assert_eq!(element.host.as_ref(), Some(host));
        }
    }

    #[test]
    fn a_name_that_is_let_in_folds_into_no_other(a in name(), b in name()) {
        for fold in [cgi as fn(&str) -> String, rack] {
            if !is_ambiguous(&a) && !is_ambiguous(&b) && fold(&a) == fold(&b) {
                prop_assert_eq!(&a, &b);
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        let _ = (Target::parse(&text), Authority::parse(&text), Node::parse(&text), elements(&text));
    }
}

/// Names that differ in one byte, or not at all.
fn name() -> impl Strategy<Value = String> {
    select(&["-", "_", ".", "~", "!", "a"]).prop_map(|byte| format!("x-user{byte}id"))
}

/// RFC 3875 section 4.1.18, as Apache and PHP write it: every other byte is `_`.
fn cgi(name: &str) -> String {
    let fold = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(fold).collect()
}

fn rack(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// A name as the URL standard reads it: None where its last label is a number.
fn url_host(name: &str) -> Option<String> {
    let last = name.rsplit('.').next()?;
    let lower = last.to_ascii_lowercase();
    let number = last.bytes().all(|b| b.is_ascii_digit())
        || lower
            .strip_prefix("0x")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if number {
        return name
            .parse::<std::net::Ipv4Addr>()
            .ok()
            .map(|ip| ip.to_string());
    }
    Some(name.to_ascii_lowercase())
}
