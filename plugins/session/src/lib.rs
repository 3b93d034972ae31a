//! Handler: a short-lived token for who is authenticated.
//!
//! Exchanges a credential that is replayable for long, such as Telegram's initData, for one that is not. The plugin
//! `jwt-auth` accepts what is made here.

#![warn(missing_docs)]

mod settings;
mod sign;

use portcullis_sdk::prelude::*;
use portcullis_sdk::serde_json::{Map, Value};
use serde::Serialize;

pub use settings::{Plan, Settings};
pub use sign::Signer;

/// The plugin.
#[derive(Debug)]
pub struct Session {
    plan: Plan,
}

/// The answer, in the words of RFC 6749 section 5.1.
#[derive(Serialize)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// How it is to be sent: `Authorization: Bearer`.
    pub token_type: &'static str,
    /// Its life in seconds.
    pub expires_in: u64,
}

/// What fits into every header and cookie.
const LONGEST_TOKEN: usize = 4096;
/// A longer claim, or one with control characters, would not be accepted back.
const LONGEST_CLAIM: usize = 1024;

#[portcullis_sdk::plugin]
impl Handler for Session {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(Session {
            plan: Plan::new(settings)?,
        })
    }

    fn handle(&self, x: &mut Exchange) -> Result<Reply, Fault> {
        // Links and prefetching make GETs; nobody means to log in by one.
        if x.method() != "POST" {
            return Err(Refusal::invalid_request().detail("use POST").into());
        }
        let minted = self.mint(x, clock::unix_seconds())?;
        Ok(Reply::json(200, &minted)?.header("cache-control", "no-store"))
    }
}

impl Session {
    /// A token for the caller of the exchange, as of `now` (seconds since 1970).
    pub fn mint(&self, x: &Exchange, now: u64) -> Result<Minted, Fault> {
        let token = self.plan.signer.token(&self.claims(x, now)?)?;
        if token.len() > LONGEST_TOKEN {
            let length = token.len();
            return Err(Fault::failed(format!(
                "the token has {length} bytes, more than {LONGEST_TOKEN}; list fewer claims"
            )));
        }
        Ok(Minted {
            token,
            token_type: "Bearer",
            expires_in: self.plan.ttl,
        })
    }

    /// RFC 7519 section 4.1. The subject is the caller's id as it is, so that limits and rules see the same caller.
    fn claims(&self, x: &Exchange, now: u64) -> Result<Map<String, Value>, Fault> {
        let id = x.caller_id().ok_or_else(|| {
            Refusal::unauthenticated().because("the route has no authenticator before the handler")
        })?;
        let roles = x.attr("caller.roles").unwrap_or_default();
        let roles: Vec<&str> = roles.split(',').filter(|role| !role.is_empty()).collect();
        let mut claims = Map::new();
        for name in &self.plan.claims {
            let fits =
                |value: &String| value.len() <= LONGEST_CLAIM && !value.contains(char::is_control);
            if let Some(value) = x.claim(name).filter(fits) {
                claims.insert(name.clone(), value.into());
            }
        }
        if self.plan.jti {
            // The gateway makes these unique; and so a token can be found in the log.
            let id = x.attr("request.id").unwrap_or_default();
            claims.insert("jti".to_owned(), id.into());
        }
        claims.insert("iss".to_owned(), self.plan.issuer.clone().into());
        claims.insert("aud".to_owned(), self.plan.audience.clone().into());
        claims.insert("sub".to_owned(), id.into());
        claims.insert("roles".to_owned(), roles.into());
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(self.plan.ttl).into());
        Ok(claims)
    }
}
