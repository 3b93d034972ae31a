//! Authenticator: API keys, known by their hashes.
//!
//! The settings hold SHA-256 of each key. That is enough for keys that are random, and only for those: nobody guesses
//! 32 random characters, with or without a slow hash.

#![warn(missing_docs)]

mod date;
mod keyring;
mod settings;

use portcullis_sdk::prelude::*;

pub use date::seconds;
pub use keyring::{Hash, Key, Keyring};
pub use settings::{Plan, Settings};

/// The plugin.
#[derive(Debug)]
pub struct ApiKey {
    plan: Plan,
}

#[portcullis_sdk::plugin]
impl Authenticator for ApiKey {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(ApiKey {
            plan: Plan::new(settings)?,
        })
    }

    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        let text = self.credential(x)?;
        let hash = Hash::of(&text)?.ok_or_else(|| not_valid("format"))?;
        let key = self
            .plan
            .keyring
            .find(&hash)
            .ok_or_else(|| not_valid("unknown"))?;
        if key.ends.is_some_and(|end| clock::unix_seconds() >= end) {
            return Err(not_valid(&format!("expired: {:?}", key.caller.id)).into());
        }
        Ok(key.caller.clone())
    }
}

impl ApiKey {
    /// The key from the header or of our scheme, taken out of the request. Two that differ mean that someone is being
    /// talked into using another's, so neither counts. Two lines of one header are none either: limits that count by it
    /// would see another key.
    fn credential(&self, x: &mut Exchange) -> Result<Vec<u8>, Fault> {
        let mut found = x.request().header_all(&self.plan.header);
        if !found.is_empty() {
            x.remove_header(&self.plan.header)?;
        }
        if found.len() > 1 {
            return Err(not_valid("several").into());
        }
        if let Some(scheme) = &self.plan.scheme {
            let all = x.request().header_all("authorization");
            let ours = all.iter().filter_map(|value| after(scheme, value));
            let before = found.len();
            found.extend(ours.map(<[u8]>::to_vec));
            if found.len() > before {
                x.remove_header("authorization")?;
                for other in all.iter().filter(|value| after(scheme, value).is_none()) {
                    x.add_header("authorization", other)?;
                }
            }
        }
        let first = found.pop().ok_or_else(|| {
            Refusal::absent()
                .because("missing")
                .header("www-authenticate", "ApiKey")
        })?;
        if found.iter().any(|other| *other != first) {
            return Err(not_valid("several").into());
        }
        Ok(first)
    }
}

/// What stands after the scheme (RFC 9110 section 11.1), which is case-insensitive.
fn after<'a>(scheme: &str, header: &'a [u8]) -> Option<&'a [u8]> {
    let (name, key) = header.split_at_checked(scheme.len())?;
    let ours =
        name.eq_ignore_ascii_case(scheme.as_bytes()) && key.first().is_none_or(|b| *b == b' ');
    ours.then(|| key.trim_ascii())
}

/// An unknown key and one that has ended are the same to who asks.
fn not_valid(because: &str) -> Refusal {
    unauthenticated("credentials are not valid").because(because)
}

fn unauthenticated(detail: &str) -> Refusal {
    Refusal::unauthenticated()
        .detail(detail)
        .header("www-authenticate", "ApiKey")
}
