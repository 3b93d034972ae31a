//! Settings: as written in gateway.toml, and as the plugin uses them.

use std::time::Duration;

use portcullis_sdk::prelude::*;

use crate::sign::Signer;

/// What gateway.toml says. One of `secret` and `private_key` signs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A shared secret of 32 bytes or more: tokens are signed with HS256.
    secret: Option<String>,
    /// An Ed25519 key as PEM: tokens are signed with EdDSA, and who checks them needs no secret.
    private_key: Option<String>,
    /// The key's name, which tokens carry; for changing keys.
    kid: Option<String>,
    /// Who we are: `iss`.
    issuer: String,
    /// Whom the tokens are for: `aud`.
    audience: String,
    /// How long a token lives, at most `24h`; `15m` by default.
    #[serde(default = "a_quarter", deserialize_with = "settings::duration")]
    #[schemars(schema_with = "settings::duration_schema")]
    ttl: Duration,
    /// Claims of the caller that the token keeps.
    #[serde(default)]
    claims: Vec<String>,
    /// Whether the token has a `jti`: the id of the request that made it.
    #[serde(default)]
    jti: bool,
}

/// What the plugin uses; nothing here is text that could still be wrong.
#[derive(Debug)]
pub struct Plan {
    /// Signs tokens.
    pub signer: Signer,
    /// `iss`
    pub issuer: String,
    /// `aud`
    pub audience: String,
    /// The life of a token in seconds.
    pub ttl: u64,
    /// Claims that the token keeps.
    pub claims: Vec<String>,
    /// Whether it has a `jti`.
    pub jti: bool,
}

/// What the token says anyway.
const RESERVED: [&str; 8] = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "roles"];
const LONGEST_LIFE: u64 = 24 * 60 * 60;

fn a_quarter() -> Duration {
    Duration::from_secs(15 * 60)
}

// === impl Plan ===

impl Plan {
    /// Checks the settings; the error has a line for every mistake and never shows a key.
    pub fn new(settings: Settings) -> Result<Plan, String> {
        let mut mistakes = Vec::new();
        let ttl = settings.ttl.as_secs();
        if ttl == 0 || ttl > LONGEST_LIFE {
            mistakes.push("ttl: write at least \"1s\" and at most \"24h\"".to_owned());
        }
        for (place, text) in [
            ("issuer", &settings.issuer),
            ("audience", &settings.audience),
        ] {
            if text.is_empty() {
                mistakes.push(format!("{place}: the text is empty"));
            }
        }
        let reserved = settings.claims.iter();
        mistakes.extend(
            reserved
                .filter(|claim| claim.is_empty() || RESERVED.contains(&claim.as_str()))
                .map(|claim| format!("claims: {claim:?} cannot be set; the token's own")),
        );
        let signer = signer(&settings).map_err(|why| mistakes.push(why)).ok();
        match signer {
            Some(signer) if mistakes.is_empty() => Ok(Plan {
                signer,
                issuer: settings.issuer,
                audience: settings.audience,
                ttl,
                claims: settings.claims,
                jti: settings.jti,
            }),
            _ => Err(mistakes.join("\n")),
        }
    }
}

fn signer(settings: &Settings) -> Result<Signer, String> {
    let kid = settings.kid.as_deref();
    match (&settings.secret, &settings.private_key) {
        (Some(secret), None) => {
            Signer::from_secret(secret, kid).map_err(|why| format!("secret: it {why}"))
        }
        (None, Some(pem)) => {
            Signer::from_pem(pem, kid).map_err(|why| format!("private_key: it {why}"))
        }
        _ => Err(
            "secret, private_key: give one of the two, such as secret = { env = \"SESSION_SECRET\" }"
                .to_owned(),
        ),
    }
}
