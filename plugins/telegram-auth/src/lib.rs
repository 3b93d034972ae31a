//! Authenticator: Telegram Mini App initData.
//!
//! This file finds the credential and turns the verdict into a caller or a refusal. Whether initData is true is
//! [`verify`]'s matter, which knows neither the gateway nor the settings file.

#![warn(missing_docs)]

pub mod fields;
mod settings;
#[cfg(not(target_family = "wasm"))]
pub mod sign;
pub mod verify;

use portcullis_sdk::prelude::*;

pub use settings::{Plan, Settings};
pub use verify::{Key, Problem, User, Verified, Window, verify};

/// The plugin.
#[derive(Debug)]
pub struct TelegramAuth {
    plan: Plan,
}

#[portcullis_sdk::plugin]
impl Authenticator for TelegramAuth {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, String> {
        Ok(TelegramAuth {
            plan: Plan::new(settings)?,
        })
    }

    fn authenticate(&self, x: &mut Exchange) -> Result<Caller, Fault> {
        let init_data = self.credential(x)?;
        let verified = verify(
            &init_data,
            &self.plan.keys,
            clock::unix_seconds(),
            self.plan.window,
        )
        .map_err(refusal)?;
        self.caller(verified)
    }
}

impl TelegramAuth {
    /// The initData from the header `authorization`, the extra header or the query. All places are read: two
    /// that differ mean that someone is being talked into using another's, so neither counts.
    fn credential(&self, x: &mut Exchange) -> Result<String, Fault> {
        let request = x.request();
        let all = request.header_all("authorization").into_iter();
        let mut found: Vec<String> = all.filter_map(tma).collect();
        if let Some(name) = &self.plan.header {
            let all = request.header_all(name).into_iter();
            found.extend(all.map(|value| trimmed(text(value), 0)));
        }
        if let Some(name) = &self.plan.query {
            let value = x
                .query_param(name)
                .map_err(|why| not_valid(format!("query: {why}")))?;
            if let Some(value) = value {
                // Out of the target, so that it ends neither in the service nor in its logs.
                x.remove_query_param(name)?;
                found.push(value);
            }
        }
        let Some(first) = found.pop() else {
            return Err(Refusal::absent()
                .because("missing")
                .header("www-authenticate", "tma")
                .into());
        };
        if found.iter().any(|other| *other != first) {
            return Err(
                not_valid("several: the request carries different credentials".to_owned()).into(),
            );
        }
        Ok(first)
    }

    fn caller(&self, verified: Verified) -> Result<Caller, Fault> {
        let Some(user) = verified.user else {
            return Err(not_valid("no_user: no user in initData".to_owned()).into());
        };
        let bot = &self.plan.bots[verified.key];
        let mut caller = Caller::new(user.id.to_string());
        caller = self.plan.roles_of(user.id, bot).fold(caller, Caller::role);
        let optional = [
            ("username", user.username),
            (
                "first_name",
                Some(user.first_name).filter(|name| !name.is_empty()),
            ),
            ("language", user.language_code),
            ("premium", user.is_premium.then(|| "true".to_owned())),
            ("start_param", verified.start_param),
            ("bot_id", bot.id.map(|id| id.to_string())),
            ("auth_date", Some(verified.auth_date.to_string())),
        ];
        caller.claims.reserve(optional.len());
        caller.claims.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
        Ok(caller)
    }
}

/// The credential of an `authorization` header of our scheme; other schemes are not for us.
fn tma(header: Vec<u8>) -> Option<String> {
    let (scheme, rest) = header.split_at_checked(3)?;
    let ours = scheme.eq_ignore_ascii_case(b"tma") && rest.first().is_none_or(|b| *b == b' ');
    ours.then(|| trimmed(text(header), 3))
}

/// Bytes that are not UTF-8 become U+FFFD, which nobody signed.
fn text(value: Vec<u8>) -> String {
    String::from_utf8(value)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What is behind the first bytes, without white space around it; moved in place.
fn trimmed(mut text: String, from: usize) -> String {
    let rest = &text[from..];
    let length = rest.trim_end().len();
    let before = length - rest.trim().len();
    text.truncate(from + length);
    text.drain(..from + before);
    text
}

/// The client learns that its credential is old, since it can get a new one; everything else is "not valid".
fn refusal(problem: Problem) -> Refusal {
    match problem {
        Problem::Expired(_) => unauthenticated("credentials have expired", problem.to_string()),
        _ => not_valid(problem.to_string()),
    }
}

fn not_valid(because: String) -> Refusal {
    unauthenticated("credentials are not valid", because)
}

fn unauthenticated(detail: &str, because: String) -> Refusal {
    Refusal::unauthenticated()
        .detail(detail)
        .because(because)
        .header("www-authenticate", "tma")
}
