//! From signed claims to a caller.

use portcullis_sdk::Caller;
use portcullis_sdk::settings::is_role;
use serde_json::Value;

use crate::claims::Claims;
use crate::problem::Problem;

/// Which claim says what. A place is a claim's name, or a JSON pointer with its slash.
#[derive(Debug)]
pub struct Mapping {
    /// Place of the caller's id.
    pub id: String,
    /// Place of the roles: a list, or text with spaces.
    pub roles: String,
    /// Roles of everyone.
    pub default_roles: Vec<String>,
    /// Name of the caller's claim, and its place.
    pub claims: Vec<(String, String)>,
}

const LONGEST_ID: usize = 256;
const LONGEST_CLAIM: usize = 1024;
const MOST_ROLES: usize = 64;

// === impl Mapping ===

impl Mapping {
    /// The caller that the claims name.
    pub fn caller(&self, claims: &Claims) -> Result<Caller, Problem> {
        let id = claims.get(&self.id).ok_or(Problem::Without("id"))?;
        let id = Some(id)
            .filter(|id| !id.is_boolean())
            .and_then(scalar)
            .filter(|id| !id.is_empty() && id.len() <= LONGEST_ID && is_line(id))
            .ok_or(Problem::Claim("id"))?;
        let mut caller = Caller::new(id);
        let own = claims.get(&self.roles).map_or(Ok(Vec::new()), roles)?;
        let all = self.default_roles.iter().map(String::as_str).chain(own);
        caller = all.fold(caller, Caller::role);
        for (name, place) in &self.claims {
            if let Some(value) = claims.get(place).and_then(scalar) {
                if value.len() > LONGEST_CLAIM || !is_line(&value) {
                    return Err(Problem::Claim("claims"));
                }
                caller = caller.claim(name, value);
            }
        }
        Ok(caller)
    }
}

/// Roles travel joined by commas: one that would tear there is nobody's.
fn roles(value: &Value) -> Result<Vec<&str>, Problem> {
    let roles: Vec<&str> = match value {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(list) => {
            let texts = list.iter().map(Value::as_str);
            texts
                .collect::<Option<_>>()
                .ok_or(Problem::Claim("roles"))?
        }
        Value::Null => Vec::new(),
        _ => return Err(Problem::Claim("roles")),
    };
    if roles.len() > MOST_ROLES {
        return Err(Problem::Claim("roles"));
    }
    Ok(roles.into_iter().filter(|role| is_role(role)).collect())
}

/// Text, whole numbers and truth; nothing else has one way to be written.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Ids and claims end in headers and logs.
fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
