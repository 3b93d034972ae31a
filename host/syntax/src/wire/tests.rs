use super::*;

const GOOD: &[u8] = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n";
const MAX_HEAD: usize = 4096;

use FaultKind::{Encoding, HeadTooLarge, Malformed};

/// Feeds bytes as a connection would: a partial head is held and given again.
fn feed(bytes: &[u8], step: usize) -> (u64, Option<Fault>) {
    let mut framing = Framing::new(MAX_HEAD);
    let mut held: Vec<u8> = Vec::new();
    for part in bytes.chunks(step) {
        held.extend_from_slice(part);
        match framing.read(&held) {
            Progress::Pass => held.clear(),
            Progress::Partial(from) => drop(held.drain(..from)),
            Progress::Bad { fault, .. } => return (framing.messages, Some(fault)),
        }
    }
    (framing.messages, None)
}

/// What is wrong with the bytes, however they come.
fn kind(bytes: &[u8]) -> Option<FaultKind> {
    let whole = feed(bytes, bytes.len().max(1)).1.map(|fault| fault.kind);
    let pieces = feed(bytes, 3).1.map(|fault| fault.kind);
    assert_eq!(whole, pieces, "{:?}", String::from_utf8_lossy(bytes));
    whole
}

/// A POST with these fields, each a line, and this body.
fn post(fields: &[&str], body: &[u8]) -> Vec<u8> {
    let lines: String = fields.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    [head.as_bytes(), body].concat()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    post(&["Transfer-Encoding: chunked"], body)
}

#[test]
fn the_verdict_does_not_depend_on_how_the_bytes_arrive() {
    for step in 1..GOOD.len() {
        assert_eq!(feed(GOOD, step), (3, None), "step {step}");
    }
    let bad = [GOOD, b"GET /\nHost: a\r\n\r\n"].concat();
    for step in 1..bad.len() {
        let (messages, fault) = feed(&bad, step);
        assert_eq!(
            (messages, fault.map(|f| f.message)),
            (3, Some(4)),
            "step {step}"
        );
    }
}

#[test]
fn a_head_frames_its_body_in_one_way_or_is_refused() {
    let long = "9".repeat(30);
    let rows: [(&[&str], &[u8], Option<FaultKind>); 27] = [
        (&["Content-Length: 0"], b"", None),
        (&["Content-Length: 2"], b"hi", None),
        (&["Content-Length: 002"], b"hi", None),
        (&["content-length:2\t"], b"hi", None),
        (&["Content-Length: 9223372036854775807"], b"", None),
        (
            &["Content-Length: 9223372036854775808"],
            b"",
            Some(Malformed),
        ),
        (
            &["Content-Length: 18446744073709551615"],
            b"",
            Some(Malformed),
        ),
        (&[&format!("Content-Length: {long}")], b"", Some(Malformed)),
        (&["Content-Length: +3"], b"abc", Some(Malformed)),
        (&["Content-Length: -3"], b"abc", Some(Malformed)),
        (&["Content-Length: 3 "], b"abc", None),
        (&["Content-Length: 3a"], b"abc", Some(Malformed)),
        (&["Content-Length: 3, 3"], b"abc", Some(Malformed)),
        (&["Content-Length:"], b"", Some(Malformed)),
        (
            &["Content-Length: 3", "Content-Length: 3"],
            b"abc",
            Some(Malformed),
        ),
        (
            &["Content-Length: 0", "Content-Length: 0"],
            b"",
            Some(Malformed),
        ),
        (&["Transfer-Encoding: chunked"], b"0\r\n\r\n", None),
        (&["Transfer-Encoding: CHUNKED"], b"0\r\n\r\n", None),
        (
            &["Content-Length: 5", "Transfer-Encoding: chunked"],
            b"0\r\n\r\n",
            Some(Malformed),
        ),
        (
            &["Transfer-Encoding: chunked", "Content-Length: 5"],
            b"0\r\n\r\n",
            Some(Malformed),
        ),
        (
            &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            b"0\r\n\r\n",
            Some(Malformed),
        ),
        (&["Transfer-Encoding: gzip, chunked"], b"", Some(Encoding)),
        (&["Transfer-Encoding: identity"], b"", Some(Encoding)),
        (&["Transfer-Encoding:"], b"", Some(Encoding)),
        (&["Transfer-Encoding : chunked"], b"", Some(Malformed)),
        (&["Host: b"], b"", Some(Malformed)),
        (&["No colon"], b"", Some(Malformed)),
    ];
    for (fields, body, want) in rows {
        assert_eq!(kind(&post(fields, body)), want, "{fields:?}");
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(kind(old), Some(Malformed));
    let old = b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.0\r\n\r\n";
    assert_eq!(feed(old, 1), (2, None));
}

#[test]
fn a_request_line_is_three_words() {
    let rows: [(&[u8], Option<FaultKind>); 19] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\n", Some(Malformed)),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET /\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Some(Malformed)),
        (
            b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
            Some(Malformed),
        ),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Some(Malformed)),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Some(Malformed)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Some(Malformed)),
    ];
    for (bytes, want) in rows {
        assert_eq!(kind(bytes), want, "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// A request line is read twice at most: nothing that the careful reader refuses may pass the quick one.
#[test]
fn the_quick_reader_of_request_lines_agrees_with_the_careful_one() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for line in [
        &b"GET /a HTTP/1.1"[..],
        b"M-SEARCH * HTTP/1.0",
        b"a b HTTP/1.1",
    ] {
        for _ in 0..20_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let mut line = line.to_vec();
            let at = usize::try_from(seed % line.len() as u64).unwrap_or(0);
            match seed >> 32 & 3 {
                0 => drop(line.remove(at)),
                1 => line.insert(at, u8::try_from(seed >> 40 & 0xff).unwrap_or(0)),
                _ => line[at] = u8::try_from(seed >> 40 & 0xff).unwrap_or(0),
            }
            let careful = head::judge_request_line(&line).ok();
            assert_eq!(head::good_request_line(&line), careful, "{line:?}");
        }
    }
}

#[test]
fn a_field_line_is_a_token_and_a_value_without_controls() {
    let rows: [(&str, Option<FaultKind>); 12] = [
        ("X: a\tb", None),
        ("X:", None),
        ("X-Y_z.1!#$%&'*+^`|~: a", None),
        ("X: \u{e4}", None),
        (": a", Some(Malformed)),
        ("X : a", Some(Malformed)),
        (" X: folded", Some(Malformed)),
        ("X(: a", Some(Malformed)),
        ("X: a\rb", Some(Malformed)),
        ("X: a\0b", Some(Malformed)),
        ("X: a\x0bb", Some(Malformed)),
        ("X: a\x7fb", Some(Malformed)),
    ];
    for (line, want) in rows {
        assert_eq!(kind(&post(&[line], b"")), want, "{line:?}");
    }
}

#[test]
fn what_no_further_byte_can_mend_is_refused_at_once() {
    let rows: [(&[u8], Option<FaultKind>); 8] = [
        (b"GE", None),
        (b"GET / HTTP/1.1\r", None),
        (b"GET / HTTP/1.1\r\nX: a", None),
        (b"\x16\x03\x01", Some(Malformed)),
        (b"{\"a\":1}", Some(Malformed)),
        (b"GET / HTTP/1.1\rX", Some(Malformed)),
        (b"GET / HTTP/1.1\r\nX: \0", Some(Malformed)),
        (b"(", Some(Malformed)),
    ];
    for (bytes, want) in rows {
        assert_eq!(kind(bytes), want, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_head_is_bounded_in_bytes_and_fields() {
    let of_fields = |count: usize| {
        let lines = "X: y\r\n".repeat(count);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
    };
    assert_eq!(kind(&of_fields(99)), None);
    assert_eq!(kind(&of_fields(100)), Some(HeadTooLarge));
    let of_bytes = |size: usize| {
        let begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        let value = "y".repeat(size - begin.len() - 4);
        format!("{begin}{value}\r\n\r\n").into_bytes()
    };
    assert_eq!(kind(&of_bytes(MAX_HEAD)), None);
    assert_eq!(kind(&of_bytes(MAX_HEAD + 1)), Some(HeadTooLarge));
    // Without an end it is refused as soon as it is too large.
    let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'y'; MAX_HEAD]].concat();
    assert_eq!(kind(&endless), Some(HeadTooLarge));
}

#[test]
fn a_chunked_body_is_walked_to_its_end() {
    let binary: Vec<u8> = (0..=255).cycle().take(0x1a3).collect();
    let long = [
        b"1A3\r\n".as_slice(),
        &binary,
        b"\r\n10\r\n0123456789\n\0cdef\r\n0\r\n\r\n",
    ]
    .concat();
    let sixteen_digits = format!("{:016x}\r\nabc\r\n0\r\n\r\n", 3);
    let rows: [(&[u8], Option<FaultKind>); 24] = [
        (&long, None),
        (sixteen_digits.as_bytes(), None),
        (b"3\r\nabc\r\n0\r\n\r\n", None),
        (b"3;a=b;c\r\nabc\r\n0;x=\"\t\xe4\"\r\n\r\n", None),
        (b"0\r\nT: 1\r\nU: 2\r\n\r\n", None),
        (b"7fffffffffffffff\r\n", None),
        (b"8000000000000000\r\n", Some(Malformed)),
        (b"ffffffffffffffff\r\n", Some(Malformed)),
        (b"00000000000000003\r\n", Some(Malformed)),
        (b"\r\n", Some(Malformed)),
        (b";a\r\n", Some(Malformed)),
        (b"x\r\n", Some(Malformed)),
        (b"3 \r\nabc\r\n", Some(Malformed)),
        (b"3\nabc\r\n", Some(Malformed)),
        (b"3\r\rabc", Some(Malformed)),
        (b"3;a\nabc", Some(Malformed)),
        (b"3;\0\r\nabc", Some(Malformed)),
        (b"3;\x7f\r\nabc", Some(Malformed)),
        (b"3\r\nabcd\r\n", Some(Malformed)),
        (b"3\r\nabc\n", Some(Malformed)),
        (b"3\r\nabc\rx", Some(Malformed)),
        (b"0\r\n\n", Some(Malformed)),
        (b"0\r\n\0", Some(Malformed)),
        (b"0\r\nT: 1\rx", Some(Malformed)),
    ];
    for (body, want) in rows {
        assert_eq!(
            kind(&chunked(body)),
            want,
            "{:?}",
            String::from_utf8_lossy(body)
        );
    }
    let twice = [chunked(&long), chunked(b"0\r\n\r\n")].concat();
    assert_eq!(feed(&twice, 7), (2, None));
}

#[test]
fn a_connection_is_idle_between_messages_only() {
    let idle_after = |bytes: &[u8]| {
        let mut framing = Framing::new(MAX_HEAD);
        let _ = framing.read(bytes);
        framing.is_idle()
    };
    assert!(idle_after(b"") && idle_after(&post(&["Content-Length: 2"], b"hi")));
    assert!(idle_after(&chunked(b"0\r\n\r\n")));
    assert!(!idle_after(&post(&["Content-Length: 2"], b"h")));
    assert!(!idle_after(&chunked(b"0\r\n")));
}

#[test]
fn trailers_are_bounded() {
    let of = |size: u32| {
        let value = "y".repeat(size as usize - 2);
        chunked(format!("0\r\nT:{value}\r\n\r\n").as_bytes())
    };
    assert_eq!(kind(&of(MAX_TRAILERS)), None);
    assert_eq!(kind(&of(MAX_TRAILERS + 1)), Some(HeadTooLarge));
    // All lines count together.
    let lines = "T:yyyyyyyyyyyyyy\r\n".repeat(1025);
    assert_eq!(
        kind(&chunked(format!("0\r\n{lines}\r\n").as_bytes())),
        Some(HeadTooLarge)
    );
}

#[test]
fn a_fault_says_where_the_bad_message_begins() {
    let mut framing = Framing::new(MAX_HEAD);
    let good = post(&["Content-Length: 2"], b"hi");
    let bytes = [good.as_slice(), b"GET /\r\n\r\n"].concat();
    let Progress::Bad {
        from,
        in_head,
        fault,
    } = framing.read(&bytes)
    else {
        panic!("it is bad");
    };
    assert_eq!((from, in_head, fault.message), (good.len(), true, 2));
    let mut framing = Framing::new(MAX_HEAD);
    let bytes = chunked(b"x");
    let Progress::Bad {
        from,
        in_head,
        fault,
    } = framing.read(&bytes)
    else {
        panic!("it is bad");
    };
    assert_eq!((from, in_head, fault.message), (bytes.len() - 1, false, 1));
    let mut framing = Framing::new(MAX_HEAD);
    let bytes = [good.as_slice(), b"\r\nGET / HT"].concat();
    assert_eq!(framing.read(&bytes), Progress::Partial(good.len() + 2));
}

#[test]
fn no_input_makes_it_panic() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        let mut bytes = GOOD.to_vec();
        for _ in 0..3 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = usize::try_from(seed % bytes.len() as u64).unwrap_or(0);
            bytes[at] = u8::try_from(seed >> 32 & 0xff).unwrap_or(0);
        }
        let whole = feed(&bytes, bytes.len());
        assert_eq!(
            whole.1.is_some(),
            feed(&bytes, 7).1.is_some(),
            "{:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
}
