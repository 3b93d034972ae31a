//! The settings, checked: nothing here is text that could still be wrong.

use portcullis_sdk::Fault;
use portcullis_sdk::settings::check_roles;

use crate::algorithm::{Algorithm, Kind};
use crate::caller::Mapping;
use crate::claims::{Claims, Demands};
use crate::jwks::Jwks;
use crate::key::{Key, Material};
use crate::pem;
use crate::places::Places;
use crate::problem::Problem;
use crate::settings::{JwksSettings, KeySettings, Settings};
use crate::token::Token;

/// What the plugin uses.
#[derive(Debug)]
pub struct Plan {
    /// Where tokens are.
    pub places: Places,
    /// What they must say.
    pub demands: Demands,
    /// Whom they name.
    pub mapping: Mapping,
    keys: Vec<Key>,
    jwks: Option<Jwks>,
}

const MOST_SKEW: u64 = 600;
const LONGEST_STALE: u64 = 30 * 86_400;
const MOST_KEYS: usize = 32;

// === impl Plan ===

impl Plan {
    /// Checks the settings; the error has a line for every mistake and never shows a key.
    pub fn new(settings: Settings) -> Result<Plan, String> {
        let mut mistakes = Vec::new();
        check_words(&settings, &mut mistakes);
        let algorithms = settings.algorithms;
        let keys = keys(settings.keys, &algorithms, &mut mistakes);
        let jwks = settings.jwks.map(|jwks| key_set(jwks, &mut mistakes));
        let demands = Demands {
            algorithms,
            r#type: settings.r#type,
            issuers: settings.issuer.into_vec(),
            audiences: settings.audience.into_vec(),
            require: settings.require,
            clock_skew: settings.clock_skew.as_secs(),
            max_age: settings.max_age.map(|age| age.as_secs()),
        };
        check_demands(&demands, &mut mistakes);
        check_covered(&demands, &keys, jwks.is_some(), &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        Ok(Plan {
            places: Places {
                cookie: settings.cookie,
                query: settings.query,
                subprotocol: settings.subprotocol,
                forward: settings.forward,
            },
            demands,
            mapping: Mapping {
                id: settings.id,
                roles: settings.roles,
                default_roles: settings.default_roles,
                claims: settings.claims.into_pairs(),
            },
            keys: keys.into_iter().flatten().collect(),
            jwks,
        })
    }

    /// The claims of a token that one of the keys signed: our own, then the upstream's.
    pub fn verify(&self, token: &Token<'_>, now: u64) -> Result<Claims, Fault> {
        let own = token.verify(&self.keys);
        match (&self.jwks, own) {
            (Some(jwks), Err(Problem::UnknownKey | Problem::Signature))
                if token.algorithm().kind() != Kind::Secret =>
            {
                jwks.verify(token, now)
            }
            (_, own) => Ok(own?),
        }
    }
}

fn check_words(settings: &Settings, mistakes: &mut Vec<String>) {
    let named = [
        ("cookie", settings.cookie.as_deref()),
        ("subprotocol", settings.subprotocol.as_deref()),
    ];
    for (place, name) in named {
        if name.is_some_and(|name| !is_name(name)) {
            mistakes.push(format!(
                "{place}: this is no name (letters, digits, - and _)"
            ));
        }
    }
    if settings.query.as_deref() == Some("") {
        mistakes.push("query: the parameter has no name".to_owned());
    }
    check_roles("default_roles", &settings.default_roles, mistakes);
    if settings.id.is_empty() {
        mistakes.push("id: name a claim, such as \"sub\"".to_owned());
    }
}

fn check_demands(demands: &Demands, mistakes: &mut Vec<String>) {
    if demands.algorithms.is_empty() {
        mistakes.push("algorithms: name at least one, such as \"ES256\"".to_owned());
    }
    if demands.clock_skew > MOST_SKEW {
        mistakes.push("clock_skew: more than 10m would let old tokens live on".to_owned());
    }
    if demands.max_age == Some(0) {
        mistakes.push("max_age: nothing is that young; write at least \"1s\"".to_owned());
    }
    for (place, words) in [
        ("issuer", &demands.issuers),
        ("audience", &demands.audiences),
        ("require", &demands.require),
    ] {
        if words.iter().any(String::is_empty) {
            mistakes.push(format!("{place}: a text is empty"));
        }
    }
}

/// Every algorithm has a key, and an upstream's keys have an issuer.
fn check_covered(
    demands: &Demands,
    keys: &[Option<Key>],
    has_jwks: bool,
    mistakes: &mut Vec<String>,
) {
    if keys.is_empty() && !has_jwks {
        mistakes.push("keys: give at least one key, or jwks = { upstream = \"…\" }".to_owned());
        return;
    }
    if has_jwks && demands.issuers.is_empty() {
        mistakes.push(
            "issuer: with jwks, say whose tokens pass; the same keys may sign for others"
                .to_owned(),
        );
    }
    // A key with a mistake of its own may be the one that is missing.
    if keys.iter().any(Option::is_none) {
        return;
    }
    for algorithm in &demands.algorithms {
        let fetched = has_jwks && algorithm.kind() != Kind::Secret;
        if !fetched && !keys.iter().flatten().any(|key| key.serves(*algorithm)) {
            let kind = algorithm.kind();
            mistakes.push(format!(
                "algorithms: {algorithm} has no key; it needs {kind}"
            ));
        }
    }
}

/// None stands for a key with a mistake.
fn keys(
    settings: Vec<KeySettings>,
    algorithms: &[Algorithm],
    mistakes: &mut Vec<String>,
) -> Vec<Option<Key>> {
    if settings.len() > MOST_KEYS {
        mistakes.push(format!("keys: at most {MOST_KEYS}"));
    }
    let mut made: Vec<Option<Key>> = Vec::new();
    for (i, settings) in settings.into_iter().enumerate() {
        let key = settings.key().and_then(|key| checked(key, algorithms));
        let twin = |other: &Key, key: &Key| {
            key.kid.is_some()
                && other.kid == key.kid
                && other.material.kind() == key.material.kind()
        };
        match key {
            Ok(key) if made.iter().flatten().any(|other| twin(other, &key)) => {
                mistakes.push(format!("keys[{i}]: another key has this kid"));
                made.push(None);
            }
            Ok(key) => made.push(Some(key)),
            Err(why) => {
                mistakes.push(format!("keys[{i}]: {why}"));
                made.push(None);
            }
        }
    }
    made
}

/// A key must be of use, and a secret as long as the hash of every algorithm that it serves.
fn checked(key: Key, algorithms: &[Algorithm]) -> Result<Key, String> {
    let served: Vec<&Algorithm> = algorithms.iter().filter(|a| key.serves(**a)).collect();
    if served.is_empty() {
        let kind = key.material.kind();
        return Err(format!("{kind} serves none of `algorithms`"));
    }
    if let Material::Secret(secret) = &key.material
        && let Some(algorithm) = served.iter().find(|a| secret.len() < a.shortest_secret())
    {
        let (least, held) = (algorithm.shortest_secret(), secret.len());
        return Err(format!(
            "the secret has {held} bytes, {algorithm} needs {least}; make one with `openssl rand -base64 {least}`"
        ));
    }
    Ok(key)
}

fn key_set(settings: JwksSettings, mistakes: &mut Vec<String>) -> Jwks {
    let path = &settings.path;
    let printable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if !path.starts_with('/') || !printable || path.len() > 256 {
        mistakes.push("jwks.path: this is no path, such as \"/.well-known/jwks.json\"".to_owned());
    }
    let (refresh, stale) = (settings.refresh.as_secs(), settings.stale.as_secs());
    let cooldown = settings.cooldown.as_secs();
    if cooldown == 0 || cooldown > refresh {
        mistakes.push("jwks.cooldown: write at least \"1s\" and not more than refresh".to_owned());
    }
    if stale < refresh || stale > LONGEST_STALE {
        mistakes
            .push("jwks.stale: write at least as much as refresh and at most \"30d\"".to_owned());
    }
    Jwks {
        upstream: settings.upstream,
        path: settings.path,
        store: settings.store,
        refresh,
        cooldown,
        stale,
    }
}

/// What a cookie or a subprotocol may be called here: fewer signs than a token has.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

// === impl KeySettings ===

impl KeySettings {
    fn key(self) -> Result<Key, String> {
        let mut key = match (self.secret, self.public_key, self.jwk) {
            (Some(secret), None, None) => Key::from(secret_of(secret)?),
            (None, Some(pem), None) => Key::from(pem::read(&pem)?),
            (None, None, Some(jwk)) => jwk.key().map_err(|why| format!("jwk: {why}"))?,
            _ => return Err("give it one of secret, public_key and jwk".to_owned()),
        };
        key.kid = self.kid.or(key.kid);
        key.algorithm = self.algorithm.or(key.algorithm);
        Ok(key)
    }
}

/// A stray line break from a secret file would make a valid but wrong key; a public key is nobody's secret.
fn secret_of(secret: String) -> Result<Material, String> {
    if secret.contains("-----BEGIN ") {
        return Err("the secret is a PEM text; a public key belongs into public_key".to_owned());
    }
    if secret.trim() != secret {
        return Err("the secret begins or ends with white space".to_owned());
    }
    Ok(Material::Secret(secret.into_bytes()))
}
