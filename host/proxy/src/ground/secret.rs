//! Keys of hashes that nobody outside may predict.

/// A key for SipHash, from the system's randomness.
pub(crate) fn hash_key() -> (u64, u64) {
    let part = || getrandom::u64().expect("the system has random bytes");
    (part(), part())
}
