//! Credentials as Telegram would hand them to a Mini App.

use std::time::{SystemTime, UNIX_EPOCH};

/// The token of gateway.toml when `BOT_TOKEN` is unset. No bot has it.
pub const DEMO_TOKEN: &str = "7000000001:DEMO-token-for-local-use-only-000000";

/// initData of a user, signed now with the demo's token.
pub fn init_data(user: u64) -> String {
    signed(DEMO_TOKEN, user)
}

/// initData of a user, signed now.
pub fn signed(token: &str, user: u64) -> String {
    dated(token, user, now())
}

/// initData of a user, signed at `auth_date` (seconds since 1970).
pub fn dated(token: &str, user: u64, auth_date: u64) -> String {
    telegram_auth::sign::init_data(token, user, auth_date, &[])
}

/// The value of an Authorization header.
pub fn authorization(user: u64) -> String {
    format!("tma {}", init_data(user))
}

/// initData as the value of a query parameter.
pub fn query_value(init_data: &str) -> String {
    telegram_auth::sign::encode(init_data)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("this machine's clock is past 1970").as_secs()
}
