//! `state` of the contract: granted stores and token buckets of the plugin's own space.

use std::time::Duration;

use crate::guest::contract::state;
use crate::guest::session::Session;
use crate::state::StateError;

const MAX_KEY: usize = 512;
const MAX_VALUE: usize = 64 * 1024;

type StoreResult<T> = wasmtime::Result<Result<T, state::StateError>>;

impl Session {
    /// The plugin's own space of a store, once the name, the key and the moment are fit.
    fn space(&self, store: &str, granted: bool, key: &str) -> Result<String, state::StateError> {
        if !granted {
            return Err(state::StateError::NotGranted);
        }
        if !self.configured {
            let why = "no state while configuring: a configured plugin is copied";
            return Err(state::StateError::Unavailable(why.into()));
        }
        if key.len() > MAX_KEY {
            let why = format!("a key has at most {MAX_KEY} bytes");
            return Err(state::StateError::Invalid(why));
        }
        Ok(format!("{}/{store}", self.spec.name))
    }

    fn store(
        &mut self,
        store: &str,
        key: &str,
    ) -> wasmtime::Result<Result<String, state::StateError>> {
        self.count()?;
        Ok(self.space(store, self.spec.grants.store(store), key))
    }
}

fn small(value: &[u8]) -> Result<(), state::StateError> {
    if value.len() > MAX_VALUE {
        let why = format!("a value has at most {MAX_VALUE} bytes");
        return Err(state::StateError::Invalid(why));
    }
    Ok(())
}

fn ttl(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}

fn said(error: StateError) -> state::StateError {
    match error {
        StateError::Invalid(why) => state::StateError::Invalid(why),
        StateError::Unavailable(why) => state::StateError::Unavailable(why),
    }
}

/// Gives up the callback with a refusal of the store's own.
macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl state::Host for Session {
    async fn get(&mut self, store: String, key: String) -> StoreResult<Option<Vec<u8>>> {
        let space = granted!(self.store(&store, &key)?);
        let value = self.state.get(&space, &key).await.map_err(said);
        if let Ok(Some(value)) = &value {
            self.copy_in(value.len())?;
        }
        Ok(value)
    }

    async fn set(
        &mut self,
        store: String,
        key: String,
        value: Vec<u8>,
        ms: u32,
    ) -> StoreResult<()> {
        let space = granted!(self.store(&store, &key)?);
        granted!(small(&value));
        self.copy_out(value.len())?;
        Ok(self
            .state
            .set(&space, &key, value, ttl(ms))
            .await
            .map_err(said))
    }

    async fn delete(&mut self, store: String, key: String) -> StoreResult<()> {
        let space = granted!(self.store(&store, &key)?);
        Ok(self.state.delete(&space, &key).await.map_err(said))
    }

    async fn swap(
        &mut self,
        store: String,
        key: String,
        old: Option<Vec<u8>>,
        new: Vec<u8>,
        ms: u32,
    ) -> StoreResult<bool> {
        let space = granted!(self.store(&store, &key)?);
        granted!(small(&new));
        self.copy_out(new.len())?;
        let done = self.state.swap(&space, &key, old, new, ttl(ms)).await;
        Ok(done.map_err(said))
    }

    async fn add(&mut self, store: String, key: String, by: i64, ms: u32) -> StoreResult<i64> {
        let space = granted!(self.store(&store, &key)?);
        let sum = self.state.add(&space, &key, by, ttl(ms)).await;
        Ok(sum.map_err(said))
    }

    async fn take_tokens(
        &mut self,
        bucket: String,
        key: String,
        n: u32,
    ) -> StoreResult<state::Grant> {
        self.count()?;
        let spec = self.spec.clone();
        let kind = spec.grants.bucket(&bucket);
        let space = granted!(self.space(&bucket, kind.is_some(), &key));
        let Some(kind) = kind else {
            return Ok(Err(state::StateError::NotGranted));
        };
        // A bucket and a store of one name are two things.
        let space = format!("{space}#");
        let taken = self.state.take(&space, &key, kind, n).await;
        Ok(taken.map_err(said).map(|taken| state::Grant {
            allowed: taken.allowed,
            remaining: taken.remaining,
            retry_after_ms: u64::try_from(taken.retry_after.as_millis()).unwrap_or(u64::MAX),
        }))
    }
}
