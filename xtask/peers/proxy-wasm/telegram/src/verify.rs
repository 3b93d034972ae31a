//! Whether initData was signed with the token of a bot, and lately.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// In seconds: as in the settings of `telegram-auth` that the bench has.
const MAX_AGE: u64 = 24 * 60 * 60;
const CLOCK_SKEW: u64 = 5 * 60;

/// The key of a bot. The state has taken it in already.
#[derive(Clone)]
pub struct Bot(Hmac<Sha256>);

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "`telegram-auth` reads them too; a caller has a name"
)]
struct User {
    id: u64,
    #[serde(default)]
    first_name: String,
    username: Option<String>,
    language_code: Option<String>,
}

impl Bot {
    pub fn of(token: &[u8]) -> Self {
        let mut secret = mac(b"WebAppData");
        secret.update(token);
        Self(mac(&secret.finalize().into_bytes()))
    }

    /// The id of the user who opened the app, if the signature fits and is young enough at `now`.
    pub fn user(&self, init_data: &str, now: u64) -> Option<u64> {
        let pairs = init_data.split('&').map(pair);
        let mut fields: Vec<(String, String)> = pairs.collect::<Option<_>>()?;
        fields.sort_unstable();
        if fields.windows(2).any(|two| two[0].0 == two[1].0) {
            return None;
        }
        let value = |key: &str| {
            let at = fields.binary_search_by(|(name, _)| name.as_str().cmp(key));
            at.ok().map(|at| fields[at].1.as_str())
        };
        self.check(&fields, value("hash")?)?;
        let signed: u64 = value("auth_date")?.parse().ok()?;
        if signed > now + CLOCK_SKEW || now > signed + MAX_AGE {
            return None;
        }
        let user: User = serde_json::from_str(value("user")?).ok()?;
        Some(user.id)
    }

    /// All fields but `hash`, as lines, sorted; compared in constant time.
    fn check(&self, fields: &[(String, String)], hash: &str) -> Option<()> {
        let mut expected = [0; 32];
        hex::decode_to_slice(hash, &mut expected).ok()?;
        let mut mac = self.0.clone();
        let signed = fields.iter().filter(|(key, _)| key != "hash");
        for (at, (key, value)) in signed.enumerate() {
            let joint: &[u8] = if at == 0 { b"" } else { b"\n" };
            for piece in [joint, key.as_bytes(), b"=", value.as_bytes()] {
                mac.update(piece);
            }
        }
        mac.verify_slice(&expected).ok()
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn pair(pair: &str) -> Option<(String, String)> {
    let (key, value) = pair.split_once('=')?;
    let (key, value) = (decode(key)?, decode(value)?);
    (!key.is_empty() && !key.contains('=')).then_some((key, value))
}

/// Decodes once. A line break could fold two fields into one with the same signed text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        };
        if matches!(byte, b'\n' | b'\r' | 0) {
            return None;
        }
        out.push(byte);
    }
    String::from_utf8(out).ok()
}
