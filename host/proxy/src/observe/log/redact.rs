//! What is never written down: credentials, wherever they stand.
//!
//! A name decides (of a header, a parameter, a member of JSON), or the look of a value: initData of a Telegram Mini
//! App is one wherever it turns up. Names are compared as whoever reads them would: percent-decoded as often as it
//! takes, in lower case, `-` and `_` alike.

use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use portcullis_config::plan::Redact;
use serde_json::Value;

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

const HEADERS: [&str; 9] = [
    "authorization",
    "cookie",
    "proxy_authorization",
    "sec_websocket_protocol",
    "set_cookie",
    "x_api_key",
    "x_auth_token",
    "x_csrf_token",
    "x_telegram_init_data",
];
/// Of parameters and of members.
const NAMES: [&str; 25] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "bot_token",
    "client_secret",
    "credential",
    "credentials",
    "id_token",
    "init_data",
    "initdata",
    "jwt",
    "pass",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "refresh_token",
    "secret",
    "session",
    "signature",
    "tgwebappdata",
    "tma",
    "token",
];
/// Of parameters only: members of JSON have such names for other things.
const PARAMETERS: [&str; 4] = ["code", "hash", "key", "sid"];
/// As often is a text percent-decoded at the most.
const ROUNDS: usize = 4;
/// Members of JSON deeper than this are not looked into, and not told.
const DEEPEST: usize = 32;

/// The names that are secret in one configuration.
#[derive(Debug, Clone)]
pub(super) struct Redaction {
    headers: BTreeSet<String>,
    parameters: BTreeSet<String>,
    members: BTreeSet<String>,
}

impl Redaction {
    pub(super) fn new(own: &Redact) -> Redaction {
        let names = |fixed: &[&str], own: &[String]| {
            let fixed = fixed.iter().map(|name| (*name).to_owned());
            fixed.chain(own.iter().map(|name| folded(name))).collect()
        };
        let parameters = [&NAMES[..], &PARAMETERS[..]].concat();
        Redaction {
            headers: names(&HEADERS, &own.headers),
            parameters: names(&parameters, &own.parameters),
            members: names(&NAMES, &own.members),
        }
    }

    /// The value of a header as it may be told.
    pub(super) fn header<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if self.headers.contains(&folded(name)) || is_init_data(value) {
            return REDACTED.into();
        }
        // Referer, Location and their like: an address with a query, or what follows a #.
        match value.find(['?', '#']) {
            None => value.into(),
            Some(at) => {
                let (address, rest) = value.split_at(at + 1);
                format!("{address}{}", self.query(rest)).into()
            }
        }
    }

    /// A query or a form (application/x-www-form-urlencoded).
    pub(super) fn query(&self, query: &str) -> String {
        let mut told = String::with_capacity(query.len());
        let mut rest = query;
        loop {
            // Both separators that servers take, and both that begin a query of an address within.
            let end = rest.find(['&', ';', '?', '#']).unwrap_or(rest.len());
            self.parameter(&rest[..end], &mut told);
            let Some(separator) = rest[end..].chars().next() else {
                return told;
            };
            told.push(separator);
            rest = &rest[end + 1..];
        }
    }

    fn parameter(&self, parameter: &str, told: &mut String) {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            // `a%3Db`: some servers decode before they split.
            None => (parameter, None),
        };
        let decoded = self::decoded(parameter);
        let secret = self.is_secret(&decoded) || is_init_data(&decoded);
        match (secret, value) {
            (false, _) => told.push_str(parameter),
            // A name that holds a parameter itself may hold the secret.
            (true, Some(_)) if !self::decoded(name).contains(['=', '&', ';']) => {
                told.push_str(name);
                told.push('=');
                told.push_str(REDACTED);
            }
            (true, _) => told.push_str(REDACTED),
        }
    }

    /// Whether a decoded parameter, or one within it, has a name that is secret.
    fn is_secret(&self, decoded: &str) -> bool {
        let parameters = decoded.split(['&', ';', '?', '#']);
        parameters
            .filter_map(|parameter| Some(parameter.split_once('=')?.0))
            .any(|name| {
                // `user[password]`, `user.password`
                let parts = name.split(['[', ']', '.', '/', ' ', '+']);
                let mut parts = parts.map(folded);
                parts.any(|part| self.parameters.contains(&part))
            })
    }

    /// A JSON body. None where it is none.
    pub(super) fn json(&self, body: &[u8]) -> Option<Value> {
        let mut value = serde_json::from_slice(body).ok()?;
        self.members(&mut value, DEEPEST);
        Some(value)
    }

    /// A string within JSON: it may be JSON itself, or hold a query.
    fn text(&self, text: &str, depth: usize) -> String {
        if is_init_data(text) {
            return REDACTED.to_owned();
        }
        if text.trim_start().starts_with(['{', '[']) {
            // What cannot be read cannot be redacted.
            let Ok(mut value) = serde_json::from_str(text) else {
                return REDACTED.to_owned();
            };
            self.members(&mut value, depth);
            return value.to_string();
        }
        if text.contains('=') {
            self.query(text)
        } else {
            text.to_owned()
        }
    }

    fn members(&self, value: &mut Value, depth: usize) {
        let Some(left) = depth.checked_sub(1) else {
            *value = REDACTED.into();
            return;
        };
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if self.members.contains(&folded(name)) {
                        *value = REDACTED.into();
                    } else {
                        self.members(value, left);
                    }
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.members(element, left);
                }
            }
            Value::String(text) => *text = self.text(text, left),
            _ => {}
        }
    }
}

/// Names that are one for whoever reads them.
fn folded(name: &str) -> String {
    name.trim().to_lowercase().replace('-', "_")
}

/// Percent-decoded until nothing changes.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..ROUNDS {
        if !text.contains('%') {
            break;
        }
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == *text {
            break;
        }
        text = next.into();
    }
    text
}

/// The data that Telegram signs for a Mini App has a hash or a signature beside the time it was made.
fn is_init_data(value: &str) -> bool {
    let decoded = decoded(value);
    decoded.contains("auth_date=") && (decoded.contains("hash=") || decoded.contains("signature="))
}

#[cfg(test)]
mod tests;
