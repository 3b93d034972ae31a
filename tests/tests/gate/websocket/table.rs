//! Frames, good and bad, each case with a Close behind it.

use portcullis_tests::client::websocket::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};

use super::frames::LARGEST;

pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) compressed: bool,
}

pub(super) fn cases() -> Vec<Case> {
    let text = |length| Frame::text(&"x".repeat(length));
    let ping = |length| Frame::new(PING, vec![b'p'; length]);
    let more = |payload: &str| Frame::new(CONTINUATION, payload);
    let mut cases = Vec::new();
    let mut add = |what, frames: &[Frame]| {
        let bytes = frames.iter().flat_map(Frame::bytes).collect();
        cases.push(Case {
            what,
            bytes,
            compressed: false,
        });
    };
    for length in [0, 1, 125, 126, LARGEST] {
        add("a text", &[text(length)]);
        add("bytes", &[Frame::new(BINARY, vec![255; length])]);
    }
    add("a text that is too big", &[text(LARGEST + 1)]);
    add("a text far too big", &[text(100_000)]);
    add(
        "fragments",
        &[text(5).unfinished(), more("y").unfinished(), more("z")],
    );
    add(
        "empty fragments",
        &[text(0).unfinished(), more("").unfinished(), more("")],
    );
    add(
        "a ping inside of a message",
        &[text(5).unfinished(), ping(3), more("z")],
    );
    add(
        "fragments that are too big",
        &[text(1500).unfinished(), text(1500).continuing()],
    );
    add("a continuation of nothing", &[more("z")]);
    add(
        "a message inside of another",
        &[text(5).unfinished(), text(5)],
    );
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        add("an opcode that is not assigned", &[Frame::new(opcode, "x")]);
    }
    for bits in [1, 2, 4, 7] {
        add("reserved bits", &[text(5).reserved(bits)]);
        add("reserved bits of a ping", &[ping(5).reserved(bits)]);
    }
    add("a ping", &[ping(0)]);
    add("a long ping", &[ping(125)]);
    add("a ping too long", &[ping(126)]);
    add("half a ping", &[ping(3).unfinished()]);
    add("half a Close", &[Frame::close(1000).unfinished()]);
    add("a pong that nobody asked for", &[Frame::new(PONG, "p")]);
    add("a text without a mask", &[text(5).unmasked()]);
    add("a ping without a mask", &[ping(5).unmasked()]);
    add(
        "a text that is not UTF-8",
        &[Frame::new(TEXT, [0xc3, 0x28])],
    );
    add(
        "a character in two fragments",
        &[
            Frame::new(TEXT, [0xc3]).unfinished(),
            Frame::new(CONTINUATION, [0xbc]),
        ],
    );
    add("an empty Close", &[Frame::new(CLOSE, "")]);
    add("a Close of one byte", &[Frame::new(CLOSE, "x")]);
    add(
        "a Close with a reason",
        &[Frame::new(
            CLOSE,
            [&1001_u16.to_be_bytes()[..], b"bye"].concat(),
        )],
    );
    add(
        "a Close whose reason is not UTF-8",
        &[Frame::new(CLOSE, [3, 232, 0xc3, 0x28])],
    );
    add("a Close too long", &[Frame::new(CLOSE, vec![3; 126])]);
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 3000, 4999, 5000] {
        add("a Close with this code", &[Frame::close(code)]);
    }
    add("a text after a Close", &[Frame::close(1000), text(5)]);
    // RFC 7692 section 7.2.3.1: "Hello", compressed.
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut add = |what, frames: &[Frame]| {
        let bytes = frames.iter().flat_map(Frame::bytes).collect();
        cases.push(Case {
            what,
            bytes,
            compressed: true,
        });
    };
    add("a compressed text", &[Frame::new(TEXT, hello).reserved(4)]);
    add(
        "a compressed text in two",
        &[
            Frame::new(TEXT, &hello[..3]).reserved(4).unfinished(),
            Frame::new(CONTINUATION, &hello[3..]),
        ],
    );
    add("a text that could be compressed", &[text(5)]);
    add("a compressed ping", &[ping(5).reserved(4)]);
    add(
        "a continuation marked as compressed",
        &[
            Frame::new(TEXT, &hello[..3]).reserved(4).unfinished(),
            Frame::new(CONTINUATION, &hello[3..]).reserved(4),
        ],
    );
    add(
        "other reserved bits",
        &[Frame::new(TEXT, hello).reserved(6)],
    );
    add(
        "what cannot be inflated",
        &[Frame::new(TEXT, [0xff; 9]).reserved(4)],
    );
    // Lengths that no frame above can write.
    for (what, head) in [
        ("a length written too long", vec![0x81, 0xfe, 0, 5]),
        (
            "a length written far too long",
            vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5],
        ),
        (
            "a length beyond all",
            vec![0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0],
        ),
    ] {
        let bytes = [head, vec![0; 4], b"hello".to_vec()].concat();
        cases.push(Case {
            what,
            bytes,
            compressed: false,
        });
    }
    for case in &mut cases {
        // So that every case comes to an end.
        case.bytes.extend(Frame::close(1000).bytes());
    }
    cases
}
