//! Keys by their hashes.

use std::collections::BTreeMap;
use std::fmt;

use portcullis_sdk::Caller;
use portcullis_sdk::crypto::{self, CryptoError};

/// SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Whom it names.
    pub caller: Caller,
    /// When it ends, in seconds since 1970.
    pub ends: Option<u64>,
}

/// All keys.
///
/// Found by hash, in a tree: one hash and a few comparisons, however many keys there are. How long the comparisons
/// take tells at most how a stored hash begins, and no hash leads to a random key; so they need not take constant time.
#[derive(Debug, Default)]
pub struct Keyring(BTreeMap<Hash, Key>);

/// What no random key is shorter than: 32 characters, of base64 or of hex, are 128 bits or more.
pub(crate) const SHORTEST: usize = 32;
const LONGEST: usize = 256;

// === impl Hash ===

impl Hash {
    /// Of a key as it was sent; None for what cannot be one, and so for every key that was chosen by a person.
    pub fn of(key: &[u8]) -> Result<Option<Hash>, CryptoError> {
        let fits = (SHORTEST..=LONGEST).contains(&key.len());
        let visible = key.iter().all(u8::is_ascii_graphic);
        if !fits || !visible {
            return Ok(None);
        }
        let digest = crypto::Hash::Sha256.digest(key)?;
        Ok(digest.try_into().ok().map(Hash))
    }

    /// From 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Hash> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Hash(hash))
    }
}

/// A hash is no secret, but neither is it for logs.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256")
    }
}

// === impl Keyring ===

impl Keyring {
    /// Adds a key; false when its hash is there already.
    pub fn add(&mut self, hash: Hash, key: Key) -> bool {
        self.0.insert(hash, key).is_none()
    }

    /// The key with this hash.
    pub fn find(&self, hash: &Hash) -> Option<&Key> {
        self.0.get(hash)
    }
}
