//! The store in memory: one bounded cache per space, so that no plugin pushes out another's values.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;
use parking_lot::RwLock;

use super::bucket::take;
use super::{State, StateError, StateFuture, Taken};
use crate::spec::Bucket;

/// Bytes per space, keys and values together.
const SPACE: u64 = 16 * 1024 * 1024;
/// What a value costs besides its bytes.
const ENTRY: usize = 64;

/// Values of this process; a restart empties it.
#[derive(Debug, Default)]
pub struct Memory {
    spaces: RwLock<HashMap<Box<str>, Space>>,
}

type Key = Arc<str>;
type Space = Cache<Key, StoredValue>;

#[derive(Debug, Clone)]
struct StoredValue {
    value: Arc<[u8]>,
    expires: Option<Instant>,
}

/// Entries end when they say so.
struct Own;

impl Expiry<Key, StoredValue> for Own {
    fn expire_after_create(&self, _: &Key, entry: &StoredValue, now: Instant) -> Option<Duration> {
        entry.left(now)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &StoredValue,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        entry.left(now)
    }
}

impl StoredValue {
    fn new(value: Vec<u8>, ttl: Option<Duration>) -> StoredValue {
        StoredValue {
            value: value.into(),
            expires: ttl.map(|ttl| Instant::now() + ttl),
        }
    }

    /// A bucket: all that is known of it is when it is full again.
    fn empty_until(full_at: Instant) -> StoredValue {
        StoredValue {
            value: Arc::from([]),
            expires: Some(full_at),
        }
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        self.expires
            .map(|expires| expires.saturating_duration_since(now))
    }

    /// The cache expires lazily; what is over is over.
    fn live(&self) -> bool {
        self.expires.is_none_or(|expires| expires > Instant::now())
    }
}

impl Memory {
    fn space(&self, name: &str) -> Space {
        let spaces = self.spaces.read();
        if let Some(space) = spaces.get(name) {
            return space.clone();
        }
        drop(spaces);
        let mut spaces = self.spaces.write();
        let space = spaces.entry(name.into()).or_insert_with(|| {
            Cache::builder()
                .max_capacity(SPACE)
                .weigher(|key: &Key, entry: &StoredValue| {
                    u32::try_from(key.len() + entry.value.len() + ENTRY).unwrap_or(u32::MAX)
                })
                .expire_after(Own)
                .build()
        });
        space.clone()
    }

    /// Replaces a live entry by what `change` makes of it, in one step, and says what it said.
    fn change<T>(
        &self,
        space: &str,
        key: &str,
        change: impl FnOnce(Option<&StoredValue>) -> (Option<StoredValue>, T),
    ) -> T {
        let mut said = None;
        let _: CompResult<_, _> = self
            .space(space)
            .entry(key.into())
            .and_compute_with(|held| {
                let held = held.map(moka::Entry::into_value).filter(StoredValue::live);
                let (next, answer) = change(held.as_ref());
                said = Some(answer);
                next.map_or(Op::Nop, Op::Put)
            });
        said.expect("the closure is called once")
    }
}

impl State for Memory {
    fn get<'a>(&'a self, space: &'a str, key: &'a str) -> StateFuture<'a, Option<Vec<u8>>> {
        let held = self.space(space).get(key).filter(StoredValue::live);
        ready(Ok(held.map(|entry| entry.value.to_vec())))
    }

    fn set<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        value: Vec<u8>,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, ()> {
        self.space(space)
            .insert(key.into(), StoredValue::new(value, ttl));
        ready(Ok(()))
    }

    fn delete<'a>(&'a self, space: &'a str, key: &'a str) -> StateFuture<'a, ()> {
        self.space(space).invalidate(key);
        ready(Ok(()))
    }

    fn swap<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        old: Option<Vec<u8>>,
        new: Vec<u8>,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, bool> {
        ready(Ok(self.change(space, key, |held| {
            let same = held.map(|entry| &*entry.value) == old.as_deref();
            (same.then(|| StoredValue::new(new, ttl)), same)
        })))
    }

    fn add<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        by: i64,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, i64> {
        ready(self.change(space, key, |held| {
            let Some(held) = held else {
                let first = StoredValue::new(by.to_string().into_bytes(), ttl);
                return (Some(first), Ok(by));
            };
            let number = std::str::from_utf8(&held.value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok());
            let Some(number) = number else {
                let error = StateError::Invalid("the value is no number".into());
                return (None, Err(error));
            };
            let sum = number.saturating_add(by);
            let next = StoredValue {
                value: sum.to_string().into_bytes().into(),
                expires: held.expires,
            };
            (Some(next), Ok(sum))
        }))
    }

    fn take<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        bucket: &'a Bucket,
        n: u32,
    ) -> StateFuture<'a, Taken> {
        ready(Ok(self.change(space, key, |held| {
            let full_at = held.and_then(|entry| entry.expires);
            let (full_at, taken) = take(full_at, Instant::now(), bucket, n);
            (full_at.map(StoredValue::empty_until), taken)
        })))
    }
}

fn ready<'a, T: Send + 'a>(answer: Result<T, StateError>) -> StateFuture<'a, T> {
    Box::pin(std::future::ready(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_live_as_long_as_they_say() {
        let state = Memory::default();
        let second = Some(Duration::from_secs(60));
        state
            .set("p/s", "k", b"v".to_vec(), second)
            .await
            .expect("memory answers");
        assert_eq!(state.get("p/s", "k").await, Ok(Some(b"v".to_vec())));
        assert_eq!(state.get("q/s", "k").await, Ok(None), "another's space");
        let gone = Some(Duration::ZERO);
        state
            .set("p/s", "k", b"v".to_vec(), gone)
            .await
            .expect("memory answers");
        assert_eq!(state.get("p/s", "k").await, Ok(None));
        let first = state.swap("p/s", "k", None, b"w".to_vec(), None).await;
        let again = state.swap("p/s", "k", None, b"w".to_vec(), None).await;
        assert_eq!((first, again), (Ok(true), Ok(false)));
        assert!(state.add("p/s", "k", 1, None).await.is_err(), "no number");
        state.delete("p/s", "k").await.expect("memory answers");
        assert_eq!(state.add("p/s", "k", 5, None).await, Ok(5));
        assert_eq!(state.add("p/s", "k", -7, None).await, Ok(-2));
        assert_eq!(state.add("p/s", "k", i64::MIN, None).await, Ok(i64::MIN));
    }

    #[tokio::test]
    async fn a_space_is_bounded_and_alone() {
        let state = Memory::default();
        state
            .set("q/s", "k", b"v".to_vec(), None)
            .await
            .expect("memory answers");
        for n in 0..1_000 {
            let key = n.to_string();
            let value = vec![0; 64 * 1024];
            state
                .set("p/s", &key, value, None)
                .await
                .expect("memory answers");
        }
        let space = state.space("p/s");
        space.run_pending_tasks();
        assert!(space.weighted_size() <= SPACE);
        assert_eq!(state.get("q/s", "k").await, Ok(Some(b"v".to_vec())));
    }
}
