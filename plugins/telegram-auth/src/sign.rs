//! Makes initData as Telegram would, for tests and load generators. Not in the component: a gateway only checks.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Fresh initData for a user: a `user`, an `auth_date` (seconds since 1970), a `query_id` and what `extra` adds or
/// replaces.
pub fn init_data(token: &str, user_id: u64, auth_date: u64, extra: &[(&str, &str)]) -> String {
    let user = format!(
        r#"{{"id":{user_id},"first_name":"User {user_id}","username":"user{user_id}","language_code":"en"}}"#
    );
    let auth_date = auth_date.to_string();
    let mut fields = vec![
        ("query_id", "AAH0000000000000000000"),
        ("user", &user),
        ("auth_date", &auth_date),
    ];
    fields.retain(|(key, _)| !extra.iter().any(|(other, _)| other == key));
    fields.extend_from_slice(extra);
    sign(&fields, token)
}

/// Signs any fields with a bot token and encodes them, `hash` last.
pub fn sign(fields: &[(&str, &str)], token: &str) -> String {
    let secret = hmac(b"WebAppData", token.as_bytes());
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let lines: Vec<String> = sorted
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let hash = hex::encode(hmac(&secret, lines.join("\n").as_bytes()));
    let mut out = String::new();
    for (key, value) in fields.iter().copied().chain([("hash", hash.as_str())]) {
        let joint = if out.is_empty() { "" } else { "&" };
        let _ = write!(out, "{joint}{}={}", encode(key), encode(value)); // a String takes every write
    }
    out
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
