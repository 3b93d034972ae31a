//! Digests, message codes and signatures with the names, shapes and errors of `portcullis:plugin/crypto` (see `wit/`).
//!
//! Nothing here knows plugins or wasm. The SDK's fake gateway computes the same with other libraries; the vectors of the
//! plugins hold the two to each other, natively and in the real host.

mod hash;
mod public_key;

pub use hash::{Code, Hash, HmacKey};
pub use public_key::{Algorithm, Kind, kind_of, verify};

/// The longest data, message, code or signature, in bytes.
pub const LONGEST_MESSAGE: usize = 1 << 20;
/// The longest key, in bytes. An RSA key of 4096 bits has some 550.
pub const LONGEST_KEY: usize = 4096;

/// Why something is not valid. A valid one is `Ok(())` and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    #[error("the code or signature is not that of this key over this message")]
    Mismatch,
    #[error("no algorithm has this name")]
    UnknownAlgorithm,
    #[error("the key {0}")]
    Key(&'static str),
    #[error("more than {LONGEST_MESSAGE} bytes, or a key of more than {LONGEST_KEY}")]
    TooLarge,
}

/// Fails if data or a key is longer than anything here takes.
pub fn bounded(messages: &[&[u8]], key: &[u8]) -> Result<(), CryptoError> {
    let fits = messages.iter().all(|m| m.len() <= LONGEST_MESSAGE) && key.len() <= LONGEST_KEY;
    if fits {
        Ok(())
    } else {
        Err(CryptoError::TooLarge)
    }
}

/// Whether two texts are the same, in a time that only depends on their lengths.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded() {
        let (message, key) = (vec![0; LONGEST_MESSAGE + 1], vec![0; LONGEST_KEY + 1]);
        assert_eq!(bounded(&[&message[1..], b""], &key[1..]), Ok(()));
        assert_eq!(bounded(&[b"", &message], b""), Err(CryptoError::TooLarge));
        assert_eq!(bounded(&[], &key), Err(CryptoError::TooLarge));
    }

    #[test]
    fn only_the_same_bytes_are_equal() {
        for (a, b, same) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "", false),
            ("a", "aa", false),
        ] {
            assert_eq!(equal(a.as_bytes(), b.as_bytes()), same, "{a} {b}");
        }
    }
}
