//! The fake gateway's store, one per test thread. It knows no time: nothing expires, and a bucket never refills.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::bindings::host::portcullis::plugin::state::{Grant, StateError};

type Key = (String, String);

thread_local! {
    static VALUES: RefCell<BTreeMap<Key, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    static TOKENS: RefCell<BTreeMap<Key, u64>> = const { RefCell::new(BTreeMap::new()) };
    static SIZES: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Grants this thread a kind of token bucket of this size; without it `take_tokens` is `NotGranted`.
pub fn set_bucket(name: &str, size: u64) {
    SIZES.with_borrow_mut(|sizes| sizes.insert(name.to_owned(), size));
}

fn key(store: &str, key: &str) -> Key {
    (store.to_owned(), key.to_owned())
}

pub(crate) fn get(store: &str, name: &str) -> Result<Option<Vec<u8>>, StateError> {
    Ok(VALUES.with_borrow(|values| values.get(&key(store, name)).cloned()))
}

pub(crate) fn set(store: &str, name: &str, value: &[u8], _ttl: u32) -> Result<(), StateError> {
    VALUES.with_borrow_mut(|values| values.insert(key(store, name), value.to_vec()));
    Ok(())
}

pub(crate) fn delete(store: &str, name: &str) -> Result<(), StateError> {
    VALUES.with_borrow_mut(|values| values.remove(&key(store, name)));
    Ok(())
}

pub(crate) fn swap(
    store: &str,
    name: &str,
    old: Option<&[u8]>,
    new: &[u8],
    ttl: u32,
) -> Result<bool, StateError> {
    let same = get(store, name)?.as_deref() == old;
    if same {
        set(store, name, new, ttl)?;
    }
    Ok(same)
}

pub(crate) fn add(store: &str, name: &str, by: i64, ttl: u32) -> Result<i64, StateError> {
    let no_number = || StateError::Invalid("the value is no number".to_owned());
    let held = match get(store, name)? {
        None => 0,
        Some(bytes) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(no_number)?,
    };
    let sum = i64::saturating_add(held, by);
    set(store, name, sum.to_string().as_bytes(), ttl)?;
    Ok(sum)
}

pub(crate) fn take_tokens(bucket: &str, name: &str, n: u32) -> Result<Grant, StateError> {
    let size = SIZES
        .with_borrow(|sizes| sizes.get(bucket).copied())
        .ok_or(StateError::NotGranted)?;
    TOKENS.with_borrow_mut(|tokens| {
        let left = tokens.entry(key(bucket, name)).or_insert(size);
        let allowed = *left >= u64::from(n);
        if allowed {
            *left -= u64::from(n);
        }
        Ok(Grant {
            allowed,
            remaining: *left,
            retry_after_ms: if allowed { 0 } else { 1_000 },
        })
    })
}
