//! Why a token does not pass.

use std::fmt;

use portcullis_sdk::{Fault, Refusal};

/// Closed: one code each, for logs and tests. Never holds a part of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// There is no token.
    Missing,
    /// The request carries different tokens.
    Several,
    /// The query cannot be read.
    Query,
    /// Not the shape of a token.
    Format(&'static str),
    /// `alg` is not one of the settings' list.
    Algorithm,
    /// The header names extensions that must be understood (`crit`).
    Critical,
    /// `typ` is another.
    Type,
    /// No key for this token.
    UnknownKey,
    /// The token names no key, and too many would fit.
    ManyKeys,
    /// The signature is not that of any key.
    Signature,
    /// A claim is missing.
    Without(&'static str),
    /// A claim that the settings require is missing.
    Required,
    /// A claim is not what it must be.
    Claim(&'static str),
    /// Another issuer.
    Issuer,
    /// For someone else.
    Audience,
    /// Over, for so many seconds.
    Expired(u64),
    /// Not begun, for so many seconds.
    Early(u64),
    /// Issued in the future, by so many seconds.
    Future(u64),
    /// Issued too long ago, by its age in seconds.
    Old(u64),
}

// === impl Problem ===

impl Problem {
    /// The code that logs and tests know it by.
    pub fn code(self) -> &'static str {
        match self {
            Problem::Missing => "missing",
            Problem::Several => "several",
            Problem::Query => "query",
            Problem::Format(_) => "format",
            Problem::Algorithm => "algorithm",
            Problem::Critical => "critical",
            Problem::Type => "type",
            Problem::UnknownKey => "unknown_key",
            Problem::ManyKeys => "many_keys",
            Problem::Signature => "signature",
            Problem::Without(_) | Problem::Required => "without",
            Problem::Claim(_) => "claim",
            Problem::Issuer => "issuer",
            Problem::Audience => "audience",
            Problem::Expired(_) => "expired",
            Problem::Early(_) => "early",
            Problem::Future(_) => "future",
            Problem::Old(_) => "old",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        match self {
            Problem::Missing | Problem::Several => f.write_str(code),
            Problem::Query => write!(f, "{code}: the query cannot be read"),
            Problem::Format(why) => write!(f, "{code}: {why}"),
            Problem::Algorithm => write!(f, "{code}: `alg` is not one of `algorithms`"),
            Problem::Critical => write!(f, "{code}: `crit` is not supported"),
            Problem::Type => write!(f, "{code}: another `typ`"),
            Problem::UnknownKey => write!(f, "{code}: no key for this `kid` and `alg`"),
            Problem::ManyKeys => write!(f, "{code}: no `kid`, and too many keys fit"),
            Problem::Signature => write!(f, "{code}: no key made it"),
            Problem::Without(claim) => write!(f, "{code}: no `{claim}`"),
            Problem::Required => write!(f, "{code}: a claim of `require` is missing"),
            Problem::Claim(claim) => write!(f, "{code}: `{claim}` cannot be used"),
            Problem::Issuer => write!(f, "{code}: another issuer"),
            Problem::Audience => write!(f, "{code}: for someone else"),
            Problem::Expired(ago) => write!(f, "{code}: {ago} s ago"),
            Problem::Early(ahead) => write!(f, "{code}: not before {ahead} s from now"),
            Problem::Future(ahead) => write!(f, "{code}: issued {ahead} s ahead of the clock"),
            Problem::Old(age) => write!(f, "{code}: issued {age} s ago"),
        }
    }
}

impl std::error::Error for Problem {}

/// RFC 6750 section 3: a request without a token gets the bare challenge, everything else is an invalid token and
/// nothing more is said.
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Fault {
        let refusal = match problem {
            Problem::Missing => Refusal::absent().header("www-authenticate", "Bearer"),
            _ => Refusal::unauthenticated()
                .detail("credentials are not valid")
                .header("www-authenticate", "Bearer error=\"invalid_token\""),
        };
        refusal.because(problem.to_string()).into()
    }
}
