//! The key set of an upstream (RFC 7517 section 5), kept in the gateway's store for all instances.
//!
//! Who sends a token decides nothing about when the upstream is asked: at most once per `cooldown`, however many
//! unknown keys strangers name. Between two answers the last one counts, until it is `stale`.

use std::time::Duration;

use portcullis_sdk::prelude::*;
use portcullis_sdk::state::StateError;
use portcullis_sdk::upstream::{Call, CallError};
use serde::Serialize;
use serde_json::Value;

use crate::algorithm::Kind;
use crate::claims::Claims;
use crate::json;
use crate::jwk::Jwk;
use crate::key::Key;
use crate::problem::Problem;
use crate::token::Token;

/// Where the keys are, and how long an answer counts.
#[derive(Debug)]
pub struct Jwks {
    /// The upstream's name in gateway.toml.
    pub upstream: String,
    /// The path of the key set.
    pub path: String,
    /// The store that holds the answer.
    pub store: String,
    /// After so many seconds the upstream is asked again.
    pub refresh: u64,
    /// It is not asked more often than this, in seconds.
    pub cooldown: u64,
    /// An answer that is so many seconds old does not count any more.
    pub stale: u64,
}

/// An answer of the upstream, as it is stored: only what checks signatures.
#[derive(Deserialize, Serialize)]
struct KeySet {
    /// When, in seconds since 1970.
    fetched: u64,
    keys: Vec<Jwk>,
}

/// Whether this call is the one that asks the upstream.
enum Turn {
    Ours,
    /// Another call has just begun to.
    Theirs,
    /// It was asked a short while ago.
    Later,
}

const MOST_KEYS: usize = 40;
/// An answer with certificate chains in it is still smaller.
const LARGEST_ANSWER: u32 = 256 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// As long as an answer may be awaited, an unknown key may be in it.
const UNDER_WAY: u64 = 2;
/// While nothing is known yet, so many calls a second may ask: all of them need the answer.
const COLD_TRIES: i64 = 8;

// === impl Jwks ===

impl Jwks {
    /// The token's claims, if a key of the set signed them; `now` in seconds since 1970.
    pub fn verify(&self, token: &Token<'_>, now: u64) -> Result<Claims, Fault> {
        let held = self.held(now)?;
        let outcome = held.as_ref().map(|set| set.verify(token));
        let known = outcome
            .as_ref()
            .is_some_and(|outcome| !matches!(outcome, Err(Problem::UnknownKey)));
        let fresh = held
            .as_ref()
            .is_some_and(|set| now.saturating_sub(set.fetched) < self.refresh);
        let mut why = "no keys yet".to_owned();
        if !(known && fresh) {
            match self.turn(held.as_ref(), now)? {
                Turn::Ours => match self.fetch(now)? {
                    Ok(set) => return Ok(set.verify(token)?),
                    Err(trouble) => {
                        log::warn!("{trouble}");
                        why = trouble;
                    }
                },
                Turn::Theirs if !known => return Err(away("the keys are being fetched")),
                Turn::Theirs | Turn::Later => {}
            }
        }
        match outcome {
            Some(outcome) => Ok(outcome?),
            None => Err(away(&why)),
        }
    }

    /// The last answer, while it counts.
    fn held(&self, now: u64) -> Result<Option<KeySet>, Fault> {
        let stored = state::store(&self.store).get(&self.name("keys"));
        let bytes = stored.map_err(|error| self.store_fault(error))?;
        let set = bytes.and_then(|bytes| serde_json::from_slice::<KeySet>(&bytes).ok());
        Ok(set.filter(|set| now.saturating_sub(set.fetched) < self.stale))
    }

    /// One step for all instances, so that only one of them gets the turn.
    fn turn(&self, held: Option<&KeySet>, now: u64) -> Result<Turn, Fault> {
        let store = state::store(&self.store);
        let fault = |error| self.store_fault(error);
        let Some(held) = held else {
            let tries = store.add(
                &self.name(&format!("cold {now}")),
                1,
                Duration::from_secs(2),
            );
            return Ok(if tries.map_err(fault)? <= COLD_TRIES {
                Turn::Ours
            } else {
                Turn::Later
            });
        };
        let name = self.name("asked");
        let before = store.get(&name).map_err(fault)?;
        let asked = before.as_deref().and_then(|bytes| {
            let text = std::str::from_utf8(bytes).ok()?;
            text.parse::<u64>().ok()
        });
        if let Some(asked) = asked.filter(|asked| now.saturating_sub(*asked) < self.cooldown) {
            // Asked after the last answer: the next one is on its way, or did not come.
            let under_way = asked > held.fetched && now.saturating_sub(asked) < UNDER_WAY;
            return Ok(if under_way { Turn::Theirs } else { Turn::Later });
        }
        let lasts = Duration::from_secs(self.cooldown);
        let swapped = store.swap(&name, before.as_deref(), now.to_string(), lasts);
        Ok(if swapped.map_err(fault)? {
            Turn::Ours
        } else {
            Turn::Theirs
        })
    }

    /// Asks the upstream. The outer error is the operator's or ours; the inner one is the upstream's, and then the
    /// last answer still counts.
    fn fetch(&self, now: u64) -> Result<Result<KeySet, String>, Fault> {
        // A part of our time is left for what comes after a wait in vain.
        let wait = (clock::remaining() / 4 * 3).min(LONGEST_WAIT);
        let call = Call::get(&self.upstream, &self.path)
            .header("accept", "application/json")
            .max_response(LARGEST_ANSWER)
            .timeout(wait);
        let answer = match call.send() {
            Ok(answer) => answer,
            Err(CallError::NotGranted) => {
                let advice = format!("grants = {{ upstreams = [{:?}] }}", self.upstream);
                return Err(Fault::failed(format!(
                    "the key set is out of reach; write {advice}"
                )));
            }
            Err(error @ (CallError::Budget | CallError::Invalid(_))) => return Err(error.into()),
            Err(error) => return Ok(Err(format!("the key set: {error}"))),
        };
        if answer.status != 200 {
            return Ok(Err(format!("the key set: status {}", answer.status)));
        }
        let Some(set) = KeySet::read(&answer.body, now) else {
            return Ok(Err("the key set: no keys that can be used".to_owned()));
        };
        let bytes = serde_json::to_vec(&set)
            .map_err(|error| Fault::failed(format!("the key set cannot be stored: {error}")))?;
        let lasts = Duration::from_secs(self.stale);
        match state::store(&self.store).set(&self.name("keys"), bytes, lasts) {
            Ok(()) => Ok(Ok(set)),
            Err(StateError::Invalid(why)) => Ok(Err(format!("the key set is too large: {why}"))),
            Err(error) => Err(self.store_fault(error)),
        }
    }

    /// Other settings are other entries.
    fn name(&self, what: &str) -> String {
        format!("{what} {}{}", self.upstream, self.path)
    }

    fn store_fault(&self, error: StateError) -> Fault {
        match error {
            StateError::NotGranted => Fault::failed(format!(
                "the store is out of reach; write grants = {{ state = [{:?}] }}",
                self.store
            )),
            StateError::Invalid(why) => Fault::failed(format!("the store refused: {why}")),
            StateError::Unavailable(why) => away(&format!("the store: {why}")),
        }
    }
}

/// Not the client's fault: its token may be good.
fn away(why: &str) -> Fault {
    Refusal::unavailable()
        .because(why)
        .header("retry-after", "1")
        .into()
}

// === impl KeySet ===

impl KeySet {
    /// The keys that can be used; None when there are none. A set may hold keys of other kinds and for other uses
    /// (RFC 7517 section 5), and a secret never comes over the network.
    fn read(body: &[u8], now: u64) -> Option<KeySet> {
        let mut set = json::object(body)?;
        let Value::Array(list) = set.remove("keys")? else {
            return None;
        };
        let usable = |jwk: &Jwk| {
            jwk.kind() != Some(Kind::Secret) && jwk.is_for_signatures() && jwk.key().is_ok()
        };
        let keys: Vec<Jwk> = list
            .into_iter()
            .filter_map(|value| serde_json::from_value(value).ok())
            .filter(usable)
            .take(MOST_KEYS)
            .collect();
        (!keys.is_empty()).then_some(KeySet { fetched: now, keys })
    }

    fn verify(&self, token: &Token<'_>) -> Result<Claims, Problem> {
        // Making a key of its numbers is work; only for the few that may fit.
        let wanted = |jwk: &&Jwk| {
            let named = token
                .kid()
                .is_none_or(|kid| jwk.kid.as_deref().is_none_or(|own| own == kid));
            named && jwk.kind() == Some(token.algorithm().kind())
        };
        let made = self
            .keys
            .iter()
            .filter(wanted)
            .filter_map(|jwk| jwk.key().ok());
        let keys: Vec<Key> = made.collect();
        token.verify(&keys)
    }
}
