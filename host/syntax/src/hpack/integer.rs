//! Integers with a prefix (RFC 7541 section 5.1).

use super::Malformed;

/// Bytes after the first. No length or index that we could use takes more.
const MOST: usize = 4;

/// Takes one from the front; its first byte holds `prefix` bits of it.
pub(super) fn read(bytes: &mut &[u8], prefix: u8) -> Result<usize, Malformed> {
    let (&first, mut rest) = bytes.split_first().ok_or(Malformed)?;
    let mask = (1_u16 << prefix) - 1;
    let mut value = usize::from(first) & usize::from(mask);
    if value == usize::from(mask) {
        let mut shift = 0;
        loop {
            let (&byte, more) = rest.split_first().ok_or(Malformed)?;
            rest = more;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift == 7 * MOST {
                return Err(Malformed);
            }
        }
    }
    *bytes = rest;
    Ok(value)
}
