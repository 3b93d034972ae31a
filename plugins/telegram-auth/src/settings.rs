//! Settings: as written in gateway.toml, and as the plugin uses them.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_sdk::crypto::PublicKey;
use portcullis_sdk::schemars::{self, JsonSchema};
use portcullis_sdk::settings::{check_roles, duration, duration_schema, is_token};
use serde::Deserialize;

use crate::verify::{Key, Window};

/// Telegram's own keys, from the page on third-party validation in the Mini Apps documentation.
const PRODUCTION_KEY: &str = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d";
const TEST_KEY: &str = "40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec";

/// What gateway.toml says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whose initData passes.
    bots: Vec<BotSettings>,
    /// A header that may carry initData beside `authorization: tma …`; without it, none.
    header: Option<String>,
    /// A query parameter that may carry it (WebSockets cannot set headers); removed before forwarding.
    query: Option<String>,
    /// How old `auth_date` may be; `24h` by default.
    #[serde(default = "a_day", deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    max_age: Duration,
    /// How far in the future `auth_date` may be; `5m` by default.
    #[serde(default = "five_minutes", deserialize_with = "duration")]
    #[schemars(schema_with = "duration_schema")]
    clock_skew: Duration,
    /// Telegram user id to roles.
    #[serde(default)]
    roles: BTreeMap<String, Vec<String>>,
    /// Telegram user ids with the role `admin`; as text, with commas between.
    #[serde(default)]
    admin_ids: Ids,
    /// Roles that everyone has; `user` by default.
    #[serde(default = "user_role")]
    default_roles: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BotSettings {
    /// The token from @BotFather: `123456:ABC-def`.
    token: Option<String>,
    /// In the token's place: HMAC-SHA256("WebAppData", token) in 64 hex digits.
    secret: Option<String>,
    /// The number in front of the token; alone, for bots whose token stays elsewhere (Ed25519).
    bot_id: Option<Id>,
    /// `test`, or an Ed25519 key in 64 hex digits; by default Telegram's own.
    public_key: Option<String>,
    /// Roles of whoever comes through this bot.
    #[serde(default)]
    roles: Vec<String>,
}

/// A number, or text where it comes from the environment.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected an id: a number, or text with a number"
)]
enum Id {
    Number(u64),
    Text(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected ids: a list, or text with commas between"
)]
enum Ids {
    One(u64),
    Text(String),
    List(Vec<Id>),
}

/// What the plugin uses; nothing here is text that could still be wrong.
#[derive(Debug)]
pub struct Plan {
    /// The keys, in the order of `bots`.
    pub keys: Vec<Key>,
    /// The same bots: their ids where known, and the roles they give.
    pub bots: Vec<Bot>,
    /// An extra header that may carry initData.
    pub header: Option<String>,
    /// A query parameter that may carry it.
    pub query: Option<String>,
    /// Which `auth_date`s pass.
    pub window: Window,
    default_roles: Vec<String>,
    roles: BTreeMap<u64, Vec<String>>,
}

/// What is known of a bot beside its key.
#[derive(Debug)]
pub struct Bot {
    /// The number in front of its token.
    pub id: Option<u64>,
    roles: Vec<String>,
}

fn a_day() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

fn five_minutes() -> Duration {
    Duration::from_secs(5 * 60)
}

fn user_role() -> Vec<String> {
    vec!["user".to_owned()]
}

// === impl Plan ===

impl Plan {
    /// Checks the settings; the error has a line for every mistake and never shows a token or secret.
    pub fn new(settings: Settings) -> Result<Plan, String> {
        let mut mistakes = Vec::new();
        if settings.bots.is_empty() {
            mistakes.push(
                "bots: name at least one, such as { token = { env = \"BOT_TOKEN\" } }".to_owned(),
            );
        }
        if settings.max_age.is_zero() {
            mistakes.push("max_age: nothing is that young".to_owned());
        }
        if settings.query.as_deref() == Some("") {
            mistakes.push("query: the parameter has no name".to_owned());
        }
        if settings
            .header
            .as_deref()
            .is_some_and(|name| !is_token(name))
        {
            mistakes.push("header: this is no header name".to_owned());
        }
        let window = Window {
            max_age: settings.max_age.as_secs(),
            clock_skew: settings.clock_skew.as_secs(),
        };
        check_roles("default_roles", &settings.default_roles, &mut mistakes);
        let roles = roles(&settings.roles, &settings.admin_ids, &mut mistakes);
        let mut keys = Vec::new();
        let mut bots = Vec::new();
        for (i, bot) in settings.bots.into_iter().enumerate() {
            check_roles(&format!("bots[{i}].roles"), &bot.roles, &mut mistakes);
            match bot.key() {
                Ok((key, id)) => {
                    keys.push(key);
                    bots.push(Bot {
                        id,
                        roles: bot.roles,
                    });
                }
                Err(why) => mistakes.push(format!("bots[{i}]: {why}")),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        let Settings {
            header,
            query,
            default_roles,
            ..
        } = settings;
        Ok(Plan {
            keys,
            bots,
            header,
            query,
            window,
            default_roles,
            roles,
        })
    }

    /// Everyone's roles, the bot's, and the user's own.
    pub fn roles_of<'a>(&'a self, user: u64, bot: &'a Bot) -> impl Iterator<Item = &'a str> {
        let own = self.roles.get(&user).into_iter().flatten();
        self.default_roles
            .iter()
            .chain(&bot.roles)
            .chain(own)
            .map(String::as_str)
    }
}

/// The roles by user, with the admins among them.
fn roles(
    table: &BTreeMap<String, Vec<String>>,
    admins: &Ids,
    mistakes: &mut Vec<String>,
) -> BTreeMap<u64, Vec<String>> {
    let mut out: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (id, roles) in table {
        check_roles(&format!("roles.{id}"), roles, mistakes);
        match id.parse() {
            Ok(id) => out.entry(id).or_default().extend(roles.iter().cloned()),
            Err(_) => mistakes.push(format!("roles: {id:?} is no Telegram user id (a number)")),
        }
    }
    for id in admins.all() {
        match id {
            Ok(id) => out.entry(id).or_default().push("admin".to_owned()),
            Err(text) => mistakes.push(format!(
                "admin_ids: {text:?} is no Telegram user id (a number)"
            )),
        }
    }
    out
}

// === impl BotSettings ===

impl BotSettings {
    fn key(&self) -> Result<(Key, Option<u64>), String> {
        let id = self
            .bot_id
            .as_ref()
            .map(Id::number)
            .transpose()
            .map_err(|_| "bot_id is no number".to_owned())?;
        match (&self.token, &self.secret, id, &self.public_key) {
            (Some(token), None, None, None) => {
                let id = token_id(token)
                    .ok_or("the token does not look like 123456:ABC-def from @BotFather")?;
                let key = Key::from_token(token).map_err(|error| error.to_string())?;
                Ok((key, Some(id)))
            }
            (None, Some(secret), id, None) => {
                let secret = bytes(secret)
                    .ok_or("secret is not 64 hex digits: HMAC-SHA256(\"WebAppData\", token)")?;
                Ok((Key::from_secret(&secret), id))
            }
            (None, None, Some(bot_id), key) => {
                Ok((public_key(bot_id, key.as_deref())?, Some(bot_id)))
            }
            (None, None, None, _) => Err("give it a token, a secret or a bot_id".to_owned()),
            _ => Err(
                "give it one of: token; secret (and bot_id); bot_id (and public_key)".to_owned(),
            ),
        }
    }
}

/// A stray line break from a secret file would make a valid but wrong key, and every login would fail.
fn token_id(token: &str) -> Option<u64> {
    let (id, rest) = token.split_once(':')?;
    let fits = !rest.is_empty()
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    id.parse().ok().filter(|_| fits)
}

fn public_key(bot_id: u64, key: Option<&str>) -> Result<Key, String> {
    let key = match key {
        None => PRODUCTION_KEY,
        Some("test") => TEST_KEY,
        Some(hex) => hex,
    };
    let key = bytes(key).and_then(|bytes| PublicKey::ed25519(bytes).ok());
    let key = key.ok_or("public_key is neither \"test\" nor an Ed25519 key in 64 hex digits")?;
    Ok(Key::Public { bot_id, key })
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).ok().map(|()| bytes)
}

// === impl Id, Ids ===

impl Id {
    fn number(&self) -> Result<u64, String> {
        match self {
            Id::Number(id) => Ok(*id),
            Id::Text(text) => text.trim().parse().map_err(|_| text.clone()),
        }
    }
}

impl Ids {
    /// Every id, or the text that is none.
    fn all(&self) -> Vec<Result<u64, String>> {
        match self {
            Ids::One(id) => vec![Ok(*id)],
            Ids::List(ids) => ids.iter().map(Id::number).collect(),
            Ids::Text(text) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                parts
                    .map(|part| part.parse().map_err(|_| part.to_owned()))
                    .collect()
            }
        }
    }
}

impl Default for Ids {
    fn default() -> Self {
        Ids::List(Vec::new())
    }
}
