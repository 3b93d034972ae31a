//! A cookie keeps a client on its server. What it says is a keyed hash of the server: who has no key learns nothing
//! from it, and can at most ask for another server of the same upstream.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};
use portcullis_config::plan::{Secret, StickyPlan};
use sha2::Sha256;

/// The first 16 bytes of HMAC-SHA256 over upstream and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token(u128);

impl Token {
    pub(super) fn of(secret: &Secret, upstream: &str, address: &str) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        // Neither may hold a line feed, so two different pairs never read the same.
        mac.update(upstream.as_bytes());
        mac.update(b"\n");
        mac.update(address.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let first = bytes.first_chunk().expect("SHA-256 has 32 bytes");
        Token(u128::from_be_bytes(*first))
    }

    /// What the request's cookie says; the first of that name counts.
    pub(super) fn in_request(plan: &StickyPlan, headers: &HeaderMap) -> Option<Token> {
        let values = headers.get_all(COOKIE).into_iter();
        let mut pairs = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, text) = pairs.find(|(name, _)| *name == plan.cookie)?;
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        u128::from_str_radix(text, 16)
            .ok()
            .filter(|_| hex)
            .map(Token)
    }

    /// The cookie that says it (RFC 6265 section 4.1).
    pub(super) fn write(self, plan: &StickyPlan, secure: bool, headers: &mut HeaderMap) {
        let age = |age: Duration| format!("; Max-Age={}", age.as_secs());
        let age = plan.max_age.map(age).unwrap_or_default();
        let secure = if secure { "; Secure" } else { "" };
        let cookie = format!(
            "{}={self}; Path=/{age}; HttpOnly; SameSite=Lax{secure}",
            plan.cookie
        );
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, value);
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
