//! Names of header fields that must not be a stranger's: those that speak for a proxy, and those that services cannot
//! tell from another name.

mod caller;
mod names;
mod proxy;

use self::names::{Names, Prefixes};

pub use caller::speaks_for_a_caller;
pub use proxy::{FORWARDING, FORWARDING_PREFIXES};

/// What a trusted proxy says in these is read, and written again for services. In order.
const REWRITTEN: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-mirrored",
    "x-real-ip",
];

/// Fields that belong to one connection (RFC 9110 section 7.6.1), plus what the gateway writes itself or must not pass
/// on (`Proxy`: httpoxy, CVE-2016-5385). In order.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

static REWRITTEN_NAMES: Names = Names::of(REWRITTEN);
static HOP_BY_HOP_NAMES: Names = Names::of(HOP_BY_HOP);
static FORWARDING_NAMES: Names = Names::of(FORWARDING);
static FAMILIES: Prefixes = Prefixes::of(FORWARDING_PREFIXES);

/// Whether a name, in lower case, speaks for a proxy.
pub fn is_forwarding(name: &str) -> bool {
    FORWARDING_NAMES.hold(name.as_bytes()) || FAMILIES.begin(name)
}

/// Whether the gateway reads the field from a trusted proxy and writes it again, so that no client's passes.
pub fn is_rewritten(name: &str) -> bool {
    REWRITTEN_NAMES.hold(name.as_bytes())
}

/// Whether the field belongs to one connection.
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP_NAMES.hold(name.as_bytes())
}

/// Whether the gateway alone decides what becomes of the field: no key lets it in or takes it out.
pub fn is_the_gateways(name: &str) -> bool {
    is_rewritten(name) || is_hop_by_hop(name) || name == "host"
}

/// Whether CGI, WSGI, PHP or Rack would fold the name into that of another field. They write names in upper case with
/// `_` for `-`, and some of them `_` for every byte that is neither letter nor digit (RFC 3875 section 4.1.18).
pub fn is_ambiguous(name: &str) -> bool {
    !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Names and beginnings of names: `x-team`, `x-internal-*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamePatterns {
    exact: Vec<String>,
    prefixes: Vec<String>,
}

impl NamePatterns {
    /// From patterns in any case; a `*` may stand at the end. Anything else is the caller's to check.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> NamePatterns {
        let mut names = NamePatterns::default();
        for pattern in patterns {
            let pattern = pattern.to_ascii_lowercase();
            match pattern.strip_suffix('*') {
                Some(prefix) => names.prefixes.push(prefix.to_owned()),
                None => names.exact.push(pattern),
            }
        }
        names
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    /// `name` is in lower case.
    pub fn hold(&self, name: &str) -> bool {
        self.exact.iter().any(|exact| exact == name)
            || self
                .prefixes
                .iter()
                .any(|prefix| name.starts_with(&**prefix))
    }
}

#[cfg(test)]
mod tests;
