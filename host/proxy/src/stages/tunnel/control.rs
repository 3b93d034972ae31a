//! Opcodes, and the control frames that the gateway sends itself.

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Who sends a frame: a client has to mask it (RFC 6455 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// A whole control frame. `payload` has at most 125 bytes.
pub(super) fn frame(opcode: u8, payload: &[u8], sender: Sender) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(125).min(125);
    let payload = &payload[..usize::from(length)];
    let mut frame = vec![0x80 | opcode, length];
    match sender {
        Sender::Server => frame.extend_from_slice(payload),
        Sender::Client => {
            let [a, b, c, d, ..] = random();
            let mask = [a, b, c, d];
            frame[1] |= 0x80;
            frame.extend_from_slice(&mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        }
    }
    frame
}

/// A Close with its code.
pub(super) fn close(code: u16, sender: Sender) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes(), sender)
}

/// The payload of a control frame in clear; `room` holds it.
pub(super) fn unmask<'a>(
    payload: &[u8],
    mask: Option<[u8; 4]>,
    room: &'a mut [u8; 125],
) -> &'a [u8] {
    let mask = mask.unwrap_or([0; 4]);
    let room = &mut room[..payload.len().min(125)];
    for ((clear, byte), mask) in room.iter_mut().zip(payload).zip(mask.iter().cycle()) {
        *clear = byte ^ mask;
    }
    room
}

/// Bytes that nobody can foretell (RFC 6455 sections 4.1 and 10.3).
pub(super) fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes
}
