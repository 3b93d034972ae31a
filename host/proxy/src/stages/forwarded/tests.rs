use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;
use portcullis_config::plan::{Admission, ClientFrom};

use super::*;

type Lines<'a> = &'a [(&'a str, &'a str)];

const XFF: &str = "x-forwarded-for";
const XFP: &str = "x-forwarded-proto";
const XFH: &str = "x-forwarded-host";
const FWD: &str = "forwarded";
const PROXY: &str = "10.0.0.1";

fn headers(lines: Lines<'_>) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        let name = HeaderName::try_from(*name).expect("a name");
        (
            name,
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        )
    };
    lines.iter().map(line).collect()
}

fn believed(lines: Lines<'_>, from: ClientFrom, ip: &str) -> ClientAddress {
    let admission = Admission {
        client_from: from,
        ..Admission::default()
    };
    let trusted: [IpNet; 2] = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a net"));
    let peer = Peer {
        ip: ip.parse().expect("an address"),
        trusted_proxies: &trusted,
        scheme: "http",
        certificate: None,
        admission: &admission,
    };
    let host = Authority::parse("own.test:8080").expect("a host");
    believe(
        &headers(lines),
        peer,
        &host,
        Version::HTTP_11,
        &LastSaid::default(),
    )
}

fn client(lines: Lines<'_>) -> Option<String> {
    let address = believed(lines, ClientFrom::Either, PROXY);
    assert_eq!(
        address.not_understood.is_some(),
        address.ip.is_none() || address.provenance.scheme_unclear,
        "{lines:?}: the log is given what came"
    );
    address.ip.map(|ip| ip.to_string())
}

/// What is no address never makes the trusted proxy the client.
#[test]
fn the_client_is_the_nearest_stranger() {
    let many = vec!["10.0.0.2"; 16].join(", ");
    let behind_many = format!("203.0.113.9, {many}");
    let rows: &[(Lines<'_>, Option<&str>)] = &[
        (&[], Some(PROXY)),
        (&[(XFF, "203.0.113.9")], Some("203.0.113.9")),
        (&[(XFF, "203.0.113.9:4711")], Some("203.0.113.9")),
        (&[(XFF, "[2001:db8::1]:5")], Some("2001:db8::1")),
        (&[(XFF, "\"[2001:db8::1]:5\"")], Some("2001:db8::1")),
        (&[(XFF, " 203.0.113.9 , 10.0.0.2 ")], Some("203.0.113.9")),
        (
            &[(XFF, "1.1.1.1, 203.0.113.9, 10.0.0.2:80")],
            Some("203.0.113.9"),
        ),
        (
            &[(XFF, "1.1.1.1"), (XFF, "203.0.113.9")],
            Some("203.0.113.9"),
        ),
        // A hop that says nothing: who stands before it may be anyone.
        (&[(XFF, "203.0.113.9,,")], None),
        (&[(XFF, "203.0.113.9, ")], None),
        (&[(XFF, "203.0.113.9"), (XFF, "")], None),
        (&[(XFF, "203.0.113.9,,10.0.0.2")], None),
        (&[(XFF, ",203.0.113.9")], Some("203.0.113.9")),
        (&[(XFF, ""), (XFF, "203.0.113.9")], Some("203.0.113.9")),
        (&[(FWD, "for=203.0.113.9,")], None),
        (&[(FWD, "for=203.0.113.9"), (FWD, "")], None),
        (&[(FWD, ",for=203.0.113.9")], Some("203.0.113.9")),
        (&[(XFF, "::ffff:203.0.113.9")], Some("203.0.113.9")),
        // All of them are proxies: the first one asks on its own behalf.
        (&[(XFF, "10.0.0.7, 10.0.0.2")], Some("10.0.0.7")),
        (&[(XFF, "unknown")], None),
        (&[(XFF, "_hidden")], None),
        (&[(XFF, "")], None),
        (&[(XFF, ",")], None),
        (&[(XFF, "203.0.113.9, unknown")], None),
        (&[(XFF, "203.0.113.9, unknown, 10.0.0.2")], None),
        (&[(XFF, "unknown, 203.0.113.9")], Some("203.0.113.9")),
        (&[(XFF, "203.0.113.9"), (XFF, "\u{e4}")], None),
        (&[(XFF, "203.0.113.9;10.0.0.2")], None),
        (&[(XFF, &many)], None),
        (&[(XFF, &behind_many)], None),
        (&[(FWD, "for=9.9.9.9;proto=https")], Some("9.9.9.9")),
        (
            &[(FWD, "for=1.1.1.1, for=\"[2001:db8::1]:5\", for=10.0.0.2")],
            Some("2001:db8::1"),
        ),
        (
            &[(FWD, "for=1.1.1.1"), (FWD, "for=9.9.9.9")],
            Some("9.9.9.9"),
        ),
        (&[(FWD, "for=unknown")], None),
        (&[(FWD, "for=_x")], None),
        (&[(FWD, "proto=https")], None),
        (&[(FWD, "9.9.9.9")], None),
        (&[(FWD, "for=9.9.9.9"), (FWD, "nonsense")], None),
        // What a client writes itself into the other header is not believed against its proxy.
        (&[(XFF, "203.0.113.9"), (FWD, "for=127.0.0.1")], None),
        (&[(XFF, "203.0.113.9"), (FWD, "for=10.0.0.9")], None),
        (
            &[(XFF, "203.0.113.9:1"), (FWD, "for=\"203.0.113.9:2\"")],
            Some("203.0.113.9"),
        ),
        (&[(XFF, "unknown"), (FWD, "for=9.9.9.9")], None),
    ];
    for (lines, want) in rows {
        assert_eq!(client(lines).as_deref(), *want, "{lines:?}");
    }
}

#[test]
fn one_header_may_be_chosen() {
    let both: Lines<'_> = &[(XFF, "203.0.113.9"), (FWD, "for=9.9.9.9;proto=https")];
    for (from, want) in [
        (ClientFrom::XForwardedFor, Some("203.0.113.9")),
        (ClientFrom::Forwarded, Some("9.9.9.9")),
        (ClientFrom::Either, None),
    ] {
        let want = want.map(|ip| ip.parse::<IpAddr>().expect("an address"));
        assert_eq!(believed(both, from, PROXY).ip, want, "{from:?}");
    }
    let none = believed(&[(XFF, "203.0.113.9")], ClientFrom::Forwarded, PROXY);
    assert_eq!(none.ip.map(|ip| ip.to_string()).as_deref(), Some(PROXY));
}

/// What a client writes itself into the headers that its proxy leaves alone counts for nothing.
#[test]
fn host_and_scheme_are_read_where_the_client_is() {
    let both: Lines<'_> = &[
        (FWD, "for=9.9.9.9;host=real.test;proto=http"),
        (XFF, "9.9.9.9"),
        (XFH, "evil.test"),
        (XFP, "https"),
    ];
    let only_x: Lines<'_> = &[(XFF, "9.9.9.9"), (XFH, "a.test"), (XFP, "https")];
    let only_rfc: Lines<'_> = &[(FWD, "for=9.9.9.9;host=a.test;proto=https")];
    // The proxy writes Forwarded alone: the client may have written the others.
    let forged: Lines<'_> = &[(FWD, "for=9.9.9.9"), (XFH, "evil.test"), (XFP, "https")];
    let own = "own.test:8080";
    let rows = [
        (forged, ClientFrom::Either, own, "http", true),
        (forged, ClientFrom::Forwarded, own, "http", false),
        (both, ClientFrom::Forwarded, "real.test", "http", false),
        (both, ClientFrom::XForwardedFor, "evil.test", "https", false),
        (both, ClientFrom::Either, own, "http", true),
        (only_x, ClientFrom::Forwarded, own, "http", false),
        (only_x, ClientFrom::XForwardedFor, "a.test", "https", false),
        (only_x, ClientFrom::Either, "a.test", "https", false),
        (only_rfc, ClientFrom::Forwarded, "a.test", "https", false),
        (only_rfc, ClientFrom::XForwardedFor, own, "http", false),
        (only_rfc, ClientFrom::Either, "a.test", "https", false),
    ];
    for (lines, from, host, scheme, unclear) in rows {
        let address = believed(lines, from, PROXY);
        let seen = (address.provenance.hosts().1, address.scheme);
        assert_eq!(seen, (host, scheme), "{lines:?} by {from:?}");
        assert_eq!(address.not_understood.is_some(), unclear, "{lines:?}");
    }
    // The same host twice, and a host against what is none.
    let same: Lines<'_> = &[(FWD, "for=9.9.9.9;host=\"A.test\""), (XFH, "a.test.")];
    let none: Lines<'_> = &[(FWD, "for=9.9.9.9;host=a.test"), (XFH, "a b")];
    for (lines, host) in [(same, "a.test"), (none, own)] {
        let address = believed(lines, ClientFrom::Either, PROXY);
        assert_eq!(address.provenance.hosts().1, host, "{lines:?}");
    }
}

#[test]
fn who_is_not_trusted_is_not_believed() {
    let lines: Lines<'_> = &[
        (XFF, "127.0.0.1"),
        (XFP, "https"),
        (XFH, "evil.test"),
        (FWD, "for=127.0.0.1;proto=https;host=evil.test"),
    ];
    let address = believed(lines, ClientFrom::Either, "203.0.113.9");
    assert_eq!(
        address.ip.map(|ip| ip.to_string()).as_deref(),
        Some("203.0.113.9")
    );
    assert_eq!((address.scheme, address.not_understood), ("http", None));
    assert_eq!(
        address.provenance.hosts(),
        ("own.test:8080", "own.test:8080")
    );
}

#[test]
fn a_scheme_that_is_not_understood_is_not_taken_for_one() {
    let rows: &[(Lines<'_>, &str, bool)] = &[
        (&[], "http", false),
        (&[(XFP, "https")], "https", false),
        (&[(XFP, "HTTPS")], "https", false),
        (&[(XFP, "https,http")], "https", false),
        (&[(XFP, "http")], "http", false),
        (&[(XFP, "on")], "http", true),
        (&[(XFP, "")], "http", true),
        (&[(XFP, "\u{e4}")], "http", true),
        (&[(FWD, "for=9.9.9.9;proto=https")], "https", false),
        (
            &[(FWD, "for=9.9.9.9;proto=HTTPS, for=10.0.0.2;proto=http")],
            "https",
            false,
        ),
        // A client may write elements of its own before that of its proxy.
        (
            &[(FWD, "for=1.1.1.1;proto=https, for=9.9.9.9;proto=http")],
            "http",
            false,
        ),
        (&[(FWD, "for=9.9.9.9;proto=ftp")], "http", true),
        (
            &[(FWD, "for=9.9.9.9;proto=https"), (XFP, "http")],
            "http",
            true,
        ),
        // The proxy writes Forwarded alone: the client may have written the other.
        (&[(FWD, "for=9.9.9.9"), (XFP, "https")], "http", true),
    ];
    for (lines, scheme, unclear) in rows {
        let address = believed(lines, ClientFrom::Either, PROXY);
        let seen = (address.scheme, address.provenance.scheme_unclear);
        assert_eq!(seen, (*scheme, *unclear), "{lines:?}");
    }
}

#[test]
fn a_host_that_is_none_is_not_believed() {
    let rows: &[(Lines<'_>, &str)] = &[
        (&[(XFH, "First.test.")], "first.test"),
        (&[(XFH, "first.test:443, second.test")], "first.test:443"),
        (&[(XFH, "a\"b")], "own.test:8080"),
        (&[(XFH, "a b")], "own.test:8080"),
        (&[(XFH, "")], "own.test:8080"),
        (
            &[(FWD, "for=9.9.9.9;host=\"first.test:81\"")],
            "first.test:81",
        ),
        (&[(FWD, "for=9.9.9.9;host=\"a\\\"b\"")], "own.test:8080"),
    ];
    for (lines, first) in rows {
        let address = believed(lines, ClientFrom::Either, PROXY);
        assert_eq!(
            address.provenance.hosts(),
            ("own.test:8080", *first),
            "{lines:?}"
        );
    }
}

/// An upstream reads the same client from either header, and never the proxy for somebody unknown.
#[test]
fn an_upstream_is_told_what_is_known() {
    let rows: &[(Lines<'_>, &str, &str)] = &[
        (&[], "10.0.0.1", "for=10.0.0.1"),
        (
            &[(XFF, "203.0.113.9:4711, 10.0.0.2")],
            "203.0.113.9, 10.0.0.2, 10.0.0.1",
            "for=203.0.113.9, for=10.0.0.2, for=10.0.0.1",
        ),
        (
            &[(XFF, "[2001:db8::1]:5")],
            "2001:db8::1, 10.0.0.1",
            "for=\"[2001:db8::1]\", for=10.0.0.1",
        ),
        (
            &[(XFF, "_x")],
            "unknown, 10.0.0.1",
            "for=unknown, for=10.0.0.1",
        ),
        (
            &[(FWD, "for=\"9.9.9.9:1\";by=_a"), (FWD, "for=10.0.0.2")],
            "9.9.9.9, 10.0.0.2, 10.0.0.1",
            "for=\"9.9.9.9:1\";by=_a, for=10.0.0.2, for=10.0.0.1",
        ),
        (
            &[(XFF, "203.0.113.9,")],
            "203.0.113.9, unknown, 10.0.0.1",
            "for=203.0.113.9, for=unknown, for=10.0.0.1",
        ),
        (
            &[(FWD, "for=203.0.113.9"), (FWD, "")],
            "203.0.113.9, unknown, 10.0.0.1",
            "for=203.0.113.9, for=unknown, for=10.0.0.1",
        ),
        (
            &[(FWD, "nonsense")],
            "unknown, 10.0.0.1",
            "for=unknown, for=10.0.0.1",
        ),
    ];
    for (lines, by_x, by_rfc) in rows {
        let mut sent = HeaderMap::new();
        believed(lines, ClientFrom::Either, PROXY)
            .provenance
            .added("id")
            .insert_into(&mut sent);
        assert_eq!(sent[XFF], *by_x, "{lines:?}");
        let rest = ";host=\"own.test:8080\";proto=http";
        assert_eq!(sent[FORWARDED], format!("{by_rfc}{rest}"), "{lines:?}");
    }
}
