use super::super::control::{self, Sender};
use super::*;

const FROM_CLIENT: Rules = Rules {
    masked: true,
    max_message: 200,
    compressed: false,
};

/// First byte, length; the payload is zeros under a mask of zeros.
fn frame(first: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 126];
    if let short @ 0..=125 = length {
        bytes[1] = 0x80 | u8::try_from(short).expect("below 126");
    } else {
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend([0; 4]);
    bytes.resize(bytes.len() + usize::from(length), 0);
    bytes
}

/// All that passed, and the fault, when the bytes come in pieces of this size.
fn in_pieces(rules: Rules, bytes: &[u8], size: usize, ours: &[u8]) -> (Vec<u8>, Option<Fault>) {
    let mut frames = Frames::new(rules);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        let walked = frames.walk(&mut held, Some(ours));
        passed.extend_from_slice(&held[..walked.pass]);
        held.copy_within(walked.pass..walked.pass + walked.held, 0);
        held.truncate(walked.held);
        assert!(
            held.len() <= LONGEST_HELD,
            "no payload of a message is held"
        );
        if walked.fault.is_some() {
            return (passed, walked.fault);
        }
    }
    (passed, None)
}

#[test]
fn a_fault_is_found_in_the_header_and_what_came_before_it_passes_however_it_is_cut() {
    let protocol = |text| Some(Fault::Protocol(text));
    let reserved = protocol("a reserved bit is set");
    let opcode = protocol("an opcode that is not assigned");
    let big = Some(Fault::TooBig);
    type Case = (&'static [(u8, u16)], Option<Fault>);
    let table: &[Case] = &[
        (&[(0x81, 0)], None),
        (&[(0x82, 200)], None),
        (&[(0x82, 201)], big),
        (&[(0x01, 100), (0x89, 125), (0x00, 50), (0x80, 50)], None),
        (&[(0x01, 100), (0x80, 101)], big),
        (
            &[(0x01, 1), (0x81, 1)],
            protocol("a message begins inside of another"),
        ),
        (&[(0x80, 1)], protocol("a continuation of no message")),
        (&[(0x89, 126)], protocol("a control frame is too long")),
        (&[(0x09, 1)], protocol("a control frame is fragmented")),
        (&[(0xc1, 1)], reserved),
        (&[(0xa1, 1)], reserved),
        (&[(0xf9, 1)], reserved),
        (&[(0x83, 1)], opcode),
        (&[(0x8b, 1)], opcode),
        (&[(0x88, 2)], None),
    ];
    for (list, fault) in table {
        let good = frame(0x81, 10);
        let bytes: Vec<u8> = list
            .iter()
            .flat_map(|(first, n)| frame(*first, *n))
            .collect();
        let bad = if fault.is_some() {
            list.len() - 1
        } else {
            list.len()
        };
        let mut expected = good.clone();
        expected.extend(list[..bad].iter().flat_map(|(first, n)| frame(*first, *n)));
        let all = [good, bytes].concat();
        for size in [1, 2, 3, 7, 64, all.len()] {
            let (passed, found) = in_pieces(FROM_CLIENT, &all, size, b"");
            assert_eq!((found, &passed), (*fault, &expected), "{list:x?} by {size}");
        }
    }
}

#[test]
fn only_clients_mask_and_only_the_first_frame_of_a_message_is_marked_as_compressed() {
    let compressed = Rules {
        compressed: true,
        ..FROM_CLIENT
    };
    let server = Rules {
        masked: false,
        ..FROM_CLIENT
    };
    let mask = Some(Fault::Protocol("the mask bit is wrong"));
    let reserved = Some(Fault::Protocol("a reserved bit is set"));
    let table = [
        (server, frame(0x81, 1), mask),
        (server, vec![0x81, 1, b'a'], None),
        (FROM_CLIENT, vec![0x81, 1, b'a'], mask),
        (compressed, frame(0xc1, 1), None),
        (compressed, frame(0xe1, 1), reserved),
        (compressed, [frame(0x41, 1), frame(0x80, 1)].concat(), None),
        (
            compressed,
            [frame(0x41, 1), frame(0xc0, 1)].concat(),
            reserved,
        ),
        (compressed, frame(0xc9, 1), reserved),
    ];
    for (rules, bytes, fault) in table {
        let (_, found) = in_pieces(rules, &bytes, 5, b"");
        assert_eq!(found, fault, "{rules:?} {bytes:x?}");
    }
}

#[test]
fn the_answer_to_our_ping_is_taken_out_and_no_other_pong() {
    let pong = |payload| control::frame(PONG, payload, Sender::Client);
    let (text, ours, theirs) = (frame(0x81, 150), pong(b"ours"), pong(b"theirs"));
    let all = [&text[..], &ours, &text, &theirs, &ours, &text].concat();
    let expected = [&text[..], &text, &theirs, &text].concat();
    for size in [1, 3, 20, all.len()] {
        let (passed, fault) = in_pieces(FROM_CLIENT, &all, size, b"ours");
        assert_eq!((passed, fault), (expected.clone(), None), "by {size}");
    }
}

#[test]
fn nothing_follows_a_close() {
    let close = control::close(1000, Sender::Client);
    let all = [
        &frame(0x81, 3)[..],
        &close,
        &frame(0x81, 3),
        &frame(0x83, 3),
    ]
    .concat();
    let mut frames = Frames::new(FROM_CLIENT);
    let walked = frames.walk(&mut all.clone(), None);
    assert_eq!(walked.pass, all.len() - 18);
    assert_eq!((walked.close, walked.fault), (Some(Some(1000)), None));
    assert!(frames.has_closed());
}

#[test]
fn a_flood_of_control_frames_or_empty_fragments_is_a_fault_and_messages_are_not() {
    let count = usize::try_from(CHEAP_FRAMES).expect("small");
    let pings = frame(0x89, 0).repeat(count + 1);
    let fragments = [frame(0x01, 0), frame(0x00, 0).repeat(count)].concat();
    let messages = frame(0x81, 0).repeat(10 * count);
    let table = [
        (pings, Some(Fault::Flood)),
        (fragments, Some(Fault::Flood)),
        (messages, None),
    ];
    for (bytes, fault) in table {
        assert_eq!(in_pieces(FROM_CLIENT, &bytes, 1000, b"").1, fault);
    }
}
