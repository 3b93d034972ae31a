//! What a person can try on the running demo: lines to paste into a shell.

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use crate::cargo::says;
use crate::{Done, Failure, place};

const PLAYER: &str = "42";
/// The key of gateway.toml's hash.
const DEMO_KEY: &str = "game_bot_DEMO-key-for-local-use-only-0000";

/// initData signed a moment ago.
#[derive(Debug)]
pub(crate) struct Credentials {
    player: String,
    admin: String,
    admin_id: String,
}

/// Where the demo's gateway listens.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
}

// === impl Credentials ===

impl Credentials {
    /// Signs with BOT_TOKEN, or the demo's token, as the gateway will check.
    pub(crate) fn sign() -> Done<Self> {
        let admins = env::var("ADMIN_IDS").unwrap_or_else(|_| String::from("1"));
        let admin_id = admins
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        Ok(Self {
            player: sign(PLAYER)?,
            admin: sign(&admin_id)?,
            admin_id,
        })
    }
}

pub(crate) fn text(at: &Listeners, credentials: &Credentials) -> String {
    let Listeners { http, https, admin } = at;
    let Credentials {
        player,
        admin: admin_data,
        admin_id,
    } = credentials;
    let query = percent_encoded(player);
    format!(
        "
The gate stands: http://{http}, https://{https}, console http://{admin}. Try:

  # anyone
  curl -i http://{http}/public/hello

  # the same over TLS and HTTP/2; the certificate is made at each start, so nobody knows it
  curl -ik --http2 https://{https}/public/hello

  # the same for 5 seconds, from the cache: look at `told` and Cache-Status
  curl -i http://{http}/public/news

  # five in ten seconds, then 429 with Retry-After
  for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{{http_code}} ' http://{http}/public/limited; done; echo

  # player {PLAYER}, signed just now: 200
  curl -i -H 'Authorization: tma {player}' http://{http}/api/users/{PLAYER}

  # no credentials: 401
  curl -i http://{http}/api/users/{PLAYER}

  # one answer of three services: 200
  curl -i -H 'Authorization: tma {player}' http://{http}/api/dashboard

  # the address of the first version, rewritten on both ways: 200
  curl -i -H 'Authorization: tma {player}' http://{http}/api/players/{PLAYER}

  # another service, with its key: 200
  curl -i -H 'x-api-key: {DEMO_KEY}' http://{http}/service/raids

  # player {PLAYER} may not remove raids: 403
  curl -i -X DELETE -H 'Authorization: tma {player}' http://{http}/api/raids/7

  # player {admin_id} is an admin and may: 204
  curl -i -X DELETE -H 'Authorization: tma {admin_data}' http://{http}/api/raids/7

  # mentions over a WebSocket, for three seconds
  curl -sN --max-time 3 --http1.1 -o - -H 'Connection: Upgrade' -H 'Upgrade: websocket' \\
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' 'http://{http}/ws/mentions?tma={query}'

  # the same as server-sent events, for three seconds
  curl -sN --max-time 3 'http://{http}/events/mentions?tma={query}'

  # the plugins that serve; drop a new .wasm into plugins.d and look again
  curl -s http://{admin}/plugins

Ctrl-C ends everything.
"
    )
}

fn sign(id: &str) -> Done<String> {
    let mut command = Command::new(place::release("init-data"));
    says(command.arg(id)).ok_or_else(|| {
        Failure::new(format!(
            "cannot sign initData for the Telegram user id {id:?}"
        ))
    })
}

/// initData as one value of a query parameter.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| {
            if plain(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
