//! A token in compact form (RFC 7515 section 7.1): text to header, and with a key's word to claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::key::Key;
use crate::problem::Problem;
use crate::{Demands, json};

/// Longer than any token that fits well into a header.
const LONGEST: usize = 8 * 1024;
/// Names of keys are short; this one is compared with ours and nothing else.
const LONGEST_KID: usize = 256;
/// How many keys one token may be tried with.
const MOST_TRIES: usize = 4;

/// Well-formed, and nothing of it is true yet.
#[derive(Debug)]
pub struct Token<'a> {
    /// Header and payload as they were signed.
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

// === impl Token ===

impl<'a> Token<'a> {
    /// Parses a token and holds its header against what is demanded. A header says which key; it never brings one,
    /// and it never chooses the algorithm freely.
    pub fn parse(text: &'a str, demands: &Demands) -> Result<Token<'a>, Problem> {
        if text.len() > LONGEST {
            return Err(Problem::Format("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(NOT_THREE)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_THREE)?;
        if payload.contains('.') {
            return Err(NOT_THREE);
        }
        let header = json::object(&bytes(header)?).ok_or(Problem::Format("the header"))?;
        let algorithm = text_of(&header, "alg")?
            .and_then(Algorithm::named)
            .filter(|algorithm| demands.algorithms.contains(algorithm))
            .ok_or(Problem::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Problem::Critical);
        }
        if let Some(demanded) = &demands.r#type {
            let typ = text_of(&header, "typ")?.unwrap_or_default();
            if !same_type(typ, demanded) {
                return Err(Problem::Type);
            }
        }
        let kid = text_of(&header, "kid")?;
        if kid.is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err(Problem::Format("the key's name is too long"));
        }
        Ok(Token {
            signed,
            payload,
            signature: bytes(signature)?,
            algorithm,
            kid: kid.map(str::to_owned),
        })
    }

    /// The algorithm, one of those demanded.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Which key the token says it was signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, once one of the keys has signed them.
    pub fn verify<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Result<Claims, Problem> {
        let fitting: Vec<&Key> = keys
            .into_iter()
            .filter(|key| key.fits(self.algorithm, self.kid()))
            .take(MOST_TRIES + 1)
            .collect();
        if fitting.is_empty() {
            return Err(Problem::UnknownKey);
        }
        if fitting.len() > MOST_TRIES {
            return Err(Problem::ManyKeys);
        }
        let message = self.signed.as_bytes();
        if !fitting
            .iter()
            .any(|key| key.signed(self.algorithm, message, &self.signature))
        {
            return Err(Problem::Signature);
        }
        let claims = json::object(&bytes(self.payload)?).ok_or(Problem::Format("the claims"))?;
        Ok(Claims::signed(claims))
    }
}

const NOT_THREE: Problem = Problem::Format("it has not three parts");

/// Canonical base64url without padding: one text for one signature.
fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.map_err(|_| Problem::Format("a part is not base64url"))
}

fn text_of<'h>(header: &'h Map<String, Value>, name: &str) -> Result<Option<&'h str>, Problem> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::Format("a text of the header is no text")),
    }
}

/// A media type, whose `application/` may be left out (RFC 7515 section 4.1.9).
fn same_type(typ: &str, demanded: &str) -> bool {
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_prefix("application/")
            .map_or(text.clone(), str::to_owned)
    };
    bare(typ) == bare(demanded)
}
