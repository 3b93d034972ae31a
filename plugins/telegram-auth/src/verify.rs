//! Whether initData was made by Telegram for one of the bots, and lately. No host, no settings: plain values in,
//! a verdict out.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_sdk::crypto::{Algorithm, CryptoError, Hash, HmacKey, PublicKey};
use serde::Deserialize;

use crate::fields::Fields;

/// How one bot's initData is checked.
#[derive(Debug, Clone)]
pub enum Key {
    /// With the bot's secret: HMAC over all fields but `hash`.
    Secret(HmacKey),
    /// Without any secret: Telegram's Ed25519 signature over all fields but `hash` and `signature`.
    Public {
        /// Part of the signed message.
        bot_id: u64,
        /// Telegram's key.
        key: PublicKey,
    },
}

/// How old, and how far in the future, `auth_date` may be, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// The oldest age that passes.
    pub max_age: u64,
    /// How far ahead of us Telegram's clock may be.
    pub clock_skew: u64,
}

/// What a passed check established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which of the keys it was.
    pub key: usize,
    /// Who opened the app; some launches (a keyboard button) name nobody.
    pub user: Option<User>,
    /// When, in seconds since 1970.
    pub auth_date: u64,
    /// The parameter of the link that opened the app.
    pub start_param: Option<String>,
}

/// A Telegram user, as far as a gateway cares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Unique for ever.
    pub id: u64,
    /// As shown.
    #[serde(default)]
    pub first_name: String,
    /// Without the `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// An IETF language tag.
    #[serde(default)]
    pub language_code: Option<String>,
    /// Whether the user pays.
    #[serde(default)]
    pub is_premium: bool,
}

/// Why initData does not pass. Closed: one code each, for logs and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Not the shape of initData.
    Format(&'static str),
    /// A line break or NUL inside a field.
    Newline,
    /// The same key twice.
    Duplicate,
    /// No `hash`, and the key needs one.
    MissingHash,
    /// No `signature`, and the key needs one.
    MissingSignature,
    /// No `auth_date`.
    MissingAuthDate,
    /// The signature is not that of any bot.
    Invalid,
    /// Too old, by its age in seconds.
    Expired(u64),
    /// Too far in the future, by so many seconds.
    Future(u64),
    /// `user` is not the JSON of a user.
    User,
}

/// The text that is signed, made when the first key needs it.
#[derive(Default)]
struct Message(Option<String>);

/// Checks initData against every key. The signature is checked before the age, so that an answer about the age
/// is only given to who holds true initData.
pub fn verify(
    init_data: &str,
    keys: &[Key],
    now: u64,
    window: Window,
) -> Result<Verified, Problem> {
    let fields = Fields::parse(init_data)?;
    let auth_date = auth_date(&fields)?;
    let key = signer(&fields, keys)?;
    if let Some(ahead) = auth_date
        .checked_sub(now)
        .filter(|&ahead| ahead > window.clock_skew)
    {
        return Err(Problem::Future(ahead));
    }
    if let Some(age) = now
        .checked_sub(auth_date)
        .filter(|&age| age > window.max_age)
    {
        return Err(Problem::Expired(age));
    }
    let user = fields
        .get("user")
        .map(serde_json::from_str)
        .transpose()
        .map_err(|_| Problem::User)?;
    Ok(Verified {
        key,
        user,
        auth_date,
        start_param: fields.get("start_param").map(str::to_owned),
    })
}

/// Digits only: a number with a tail is another number to another reader.
fn auth_date(fields: &Fields) -> Result<u64, Problem> {
    let text = fields.get("auth_date").ok_or(Problem::MissingAuthDate)?;
    let number = Some(text)
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|t| t.parse().ok());
    number.ok_or(Problem::Format("auth_date is no number of seconds"))
}

/// The first key that fits. When none does, a signature that is wrong says more than one that is missing.
fn signer(fields: &Fields, keys: &[Key]) -> Result<usize, Problem> {
    let mut worst = None;
    // With `signature`: Telegram adds it before it computes the hash.
    let mut hashed = Message::default();
    for (i, key) in keys.iter().enumerate() {
        match key.check(fields, &mut hashed) {
            Ok(()) => return Ok(i),
            Err(Problem::Invalid) => worst = Some(Problem::Invalid),
            Err(problem) => worst = worst.or(Some(problem)),
        }
    }
    Err(worst.unwrap_or(Problem::Invalid))
}

// === impl Message ===

impl Message {
    fn of(&mut self, fields: &Fields) -> &str {
        self.0.get_or_insert_with(|| {
            let mut message = String::new();
            fields.sign(&["hash"], &mut message);
            message
        })
    }
}

// === impl Key ===

impl Key {
    /// From a bot token: the secret is HMAC-SHA256 with the key "WebAppData" over the token.
    pub fn from_token(token: &str) -> Result<Key, CryptoError> {
        let secret = HmacKey::new(Hash::Sha256, "WebAppData").code(token)?;
        Ok(Key::Secret(HmacKey::new(Hash::Sha256, secret)))
    }

    /// From a secret derived elsewhere, so that the token itself need not be here.
    pub fn from_secret(secret: &[u8; 32]) -> Key {
        Key::Secret(HmacKey::new(Hash::Sha256, *secret))
    }

    fn check(&self, fields: &Fields, hashed: &mut Message) -> Result<(), Problem> {
        let verdict = match self {
            Key::Secret(key) => key.verify(hashed.of(fields), hash(fields)?),
            Key::Public { bot_id, key } => {
                let signature = signature(fields)?;
                let mut message = format!("{bot_id}:WebAppData\n");
                fields.sign(&["hash", "signature"], &mut message);
                key.verify(Algorithm::Ed25519, message, signature)
            }
        };
        verdict.map_err(|_| Problem::Invalid)
    }
}

/// 64 lower-case hex digits, as Telegram writes them.
fn hash(fields: &Fields) -> Result<[u8; 32], Problem> {
    let text = fields
        .get("hash")
        .filter(|text| !text.is_empty())
        .ok_or(Problem::MissingHash)?;
    let mut hash = [0; 32];
    let upper = text.bytes().any(|b| b.is_ascii_uppercase());
    if upper || hex::decode_to_slice(text, &mut hash).is_err() {
        return Err(Problem::Format("hash is not 64 lower-case hex digits"));
    }
    Ok(hash)
}

/// Canonical base64url without padding.
fn signature(fields: &Fields) -> Result<[u8; 64], Problem> {
    let text = fields
        .get("signature")
        .filter(|text| !text.is_empty())
        .ok_or(Problem::MissingSignature)?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    bytes.ok_or(Problem::Format("signature is not 64 bytes of base64url"))
}

// === impl Problem ===

impl Problem {
    /// The code that logs and tests know it by.
    pub fn code(self) -> &'static str {
        match self {
            Problem::Format(_) => "format",
            Problem::Newline => "newline",
            Problem::Duplicate => "duplicate",
            Problem::MissingHash => "missing_hash",
            Problem::MissingSignature => "missing_signature",
            Problem::MissingAuthDate => "missing_auth_date",
            Problem::Invalid => "invalid",
            Problem::Expired(_) => "expired",
            Problem::Future(_) => "future",
            Problem::User => "user",
        }
    }
}

/// Code and reason; never a part of the initData.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        match self {
            Problem::Format(why) => write!(f, "{code}: {why}"),
            Problem::Expired(age) => write!(f, "{code}: it is {age} s old"),
            Problem::Future(ahead) => write!(f, "{code}: it is {ahead} s ahead of the clock"),
            Problem::Invalid => write!(f, "{code}: no bot signed this"),
            Problem::User => write!(f, "{code}: the user cannot be read"),
            _ => f.write_str(code),
        }
    }
}

impl std::error::Error for Problem {}
