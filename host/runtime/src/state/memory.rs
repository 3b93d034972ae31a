//! The store in memory: one bounded cache per space, so that no plugin pushes out another's values.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use super::{State, StateError, StateFuture, Taken};
use crate::spec::Bucket;

/// Bytes per space, keys and values together.
const SPACE: u64 = 16 * 1024 * 1024;
/// What an entry costs beside its bytes.
const ENTRY: usize = 64;

/// Values of this process; a restart empties it.
#[derive(Debug, Default)]
pub struct Memory {
    spaces: RwLock<HashMap<Box<str>, Space>>,
}

type Key = Arc<str>;
type Space = Cache<Key, Entry>;

#[derive(Debug, Clone)]
struct Entry {
    value: Arc<[u8]>,
    expires: Option<Instant>,
}

/// Entries end when they say so.
struct Own;

impl Expiry<Key, Entry> for Own {
    fn expire_after_create(&self, _: &Key, entry: &Entry, now: Instant) -> Option<Duration> {
        entry.left(now)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Entry,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        entry.left(now)
    }
}

impl Entry {
    fn new(value: Vec<u8>, ttl: Option<Duration>) -> Entry {
        Entry {
            value: value.into(),
            expires: ttl.map(|ttl| Instant::now() + ttl),
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
        let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(space) = spaces.get(name) {
            return space.clone();
        }
        drop(spaces);
        let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
        let space = spaces.entry(name.into()).or_insert_with(|| {
            Cache::builder()
                .max_capacity(SPACE)
                .weigher(|key: &Key, entry: &Entry| {
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
        change: impl FnOnce(Option<&Entry>) -> (Option<Entry>, T),
    ) -> T {
        let mut said = None;
        let _: CompResult<_, _> = self
            .space(space)
            .entry(key.into())
            .and_compute_with(|held| {
                let held = held.map(moka::Entry::into_value).filter(Entry::live);
                let (next, answer) = change(held.as_ref());
                said = Some(answer);
                next.map_or(Op::Nop, Op::Put)
            });
        said.expect("the closure is called once")
    }
}

impl State for Memory {
    fn get<'a>(&'a self, space: &'a str, key: &'a str) -> StateFuture<'a, Option<Vec<u8>>> {
        let held = self.space(space).get(key).filter(Entry::live);
        ready(Ok(held.map(|entry| entry.value.to_vec())))
    }

    fn set<'a>(
        &'a self,
        space: &'a str,
        key: &'a str,
        value: Vec<u8>,
        ttl: Option<Duration>,
    ) -> StateFuture<'a, ()> {
        self.space(space).insert(key.into(), Entry::new(value, ttl));
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
            (same.then(|| Entry::new(new, ttl)), same)
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
                let first = Entry::new(by.to_string().into_bytes(), ttl);
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
            let next = Entry {
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
            take(full_at, Instant::now(), bucket, n)
        })))
    }
}

/// GCRA: a bucket is the moment when it will be full again, which is also when its entry may go. An absent one is
/// full.
fn take(full_at: Option<Instant>, now: Instant, bucket: &Bucket, n: u32) -> (Option<Entry>, Taken) {
    let per_token = bucket.per / bucket.size.max(1);
    let missing = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
    let after = missing + per_token * n;
    if n > bucket.size || after > bucket.per {
        let retry_after = if n > bucket.size {
            Duration::MAX
        } else {
            after - bucket.per
        };
        let remaining = tokens(bucket.per - missing.min(bucket.per), per_token);
        return (
            None,
            Taken {
                allowed: false,
                remaining,
                retry_after,
            },
        );
    }
    let entry = Entry {
        value: Arc::from([]),
        expires: Some(now + after),
    };
    let taken = Taken {
        allowed: true,
        remaining: tokens(bucket.per - after, per_token),
        retry_after: Duration::ZERO,
    };
    (Some(entry), taken)
}

fn tokens(time: Duration, per_token: Duration) -> u64 {
    u64::try_from(time.as_nanos() / per_token.as_nanos().max(1)).unwrap_or(u64::MAX)
}

fn ready<'a, T: Send + 'a>(answer: Result<T, StateError>) -> StateFuture<'a, T> {
    Box::pin(std::future::ready(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(size: u32, seconds: u64) -> Bucket {
        Bucket {
            name: "tries".into(),
            size,
            per: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_bucket_empties_and_refills() {
        let (bucket, start) = (bucket(5, 10), Instant::now());
        let mut full_at = None;
        let mut step = |at: u64, n: u32| {
            let now = start + Duration::from_millis(at);
            let (entry, taken) = take(full_at, now, &bucket, n);
            full_at = entry.map_or(full_at, |entry| entry.expires);
            (
                taken.allowed,
                taken.remaining,
                taken.retry_after.as_millis(),
            )
        };
        assert_eq!(step(0, 3), (true, 2, 0));
        assert_eq!(step(0, 2), (true, 0, 0));
        assert_eq!(step(0, 1), (false, 0, 2_000));
        assert_eq!(step(1_999, 1), (false, 0, 1));
        assert_eq!(step(2_000, 1), (true, 0, 0));
        assert_eq!(step(60_000, 0), (true, 5, 0));
        assert!(!step(60_000, 6).0, "more than it holds");
    }

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
