//! Header fields that say who asks, or prove it.

use super::names::{Names, Prefixes};

/// Words of names that say who asks, or prove it.
pub(super) const CALLER_WORDS: &[&str] = &[
    "account",
    "apikey",
    "assertion",
    "auth",
    "authentication",
    "authorization",
    "caller",
    "cert",
    "certificate",
    "claims",
    "clientcert",
    "consumer",
    "credential",
    "credentials",
    "customer",
    "dn",
    "dpop",
    "email",
    "group",
    "groups",
    "identity",
    "jwt",
    "key",
    "login",
    "member",
    "oidc",
    "org",
    "organization",
    "principal",
    "role",
    "roles",
    "saml",
    "secret",
    "session",
    "sessionid",
    "signature",
    "subject",
    "tenant",
    "token",
    "uid",
    "user",
    "userid",
    "userinfo",
    "username",
    "users",
    "workspace",
];

/// Families of products that tell services in them who asks.
pub(super) const CALLER_PREFIXES: &[&str] = &[
    "cf-access-",
    "iv-",
    "mellon-",
    "oam-",
    "oidc-",
    "remote-",
    "shib-",
    "sm-",
    "spiffe-",
    "tailscale-",
    "x-authentik-",
    "x-client-fingerprint",
    "x-client-serial",
    "x-pomerium-",
    "x-shib-",
    "x-spiffe-",
    "x-vouch-",
    "x-webauth-",
];

/// Names with such a word that speak for nobody.
const NOT_OF_CALLERS: &[&str] = &["idempotency-key", "user-agent", "x-user-agent"];

static WORDS: Names = Names::of(CALLER_WORDS);
static FAMILIES: Prefixes = Prefixes::of(CALLER_PREFIXES);

/// Whether a field of a request, its name in lower case, says who asks or proves it, so that a service may answer by
/// it: a key, a token, or what a trusted proxy found out. A name that merely looks so counts too: then a cache stores
/// less than it could. `Cookie` has rules of its own.
pub fn speaks_for_a_caller(name: &str) -> bool {
    // `sec-` names are the browser's own (`sec-fetch-user`).
    let not = NOT_OF_CALLERS.contains(&name) || name.starts_with("sec-");
    let by_word = || {
        let mut words = name.as_bytes().split(|b| !b.is_ascii_alphanumeric());
        words.any(|word| WORDS.hold(word))
    };
    !not && (by_word() || FAMILIES.begin(name))
}
