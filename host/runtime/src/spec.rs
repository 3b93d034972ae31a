//! What one plugin of gateway.toml is given: settings, grants, a budget.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

/// Everything about a plugin that is not its component. A route may narrow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub name: Arc<str>,
    /// JSON text.
    pub settings: SecretText,
    pub grants: Grants,
    pub budget: Budget,
    /// Reuse instances between requests.
    pub kept: bool,
    pub copying: Copying,
    /// A call that fails lets the request pass. A refusal is no failure.
    pub fail_open: bool,
}

/// Whether fresh instances are copied from a configured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Copying {
    /// Unless it drew random numbers while configuring: copies would share them.
    Auto,
    /// Also then: right for the seeds of hash maps, wrong for keys.
    Always,
    Never,
}

/// What it may reach. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    pub upstreams: Vec<UpstreamGrant>,
    /// Key-value stores, by name.
    pub stores: Vec<Arc<str>>,
    pub buckets: Vec<Bucket>,
    /// Random numbers that cannot be foretold.
    pub random: bool,
    /// The time of day.
    pub clock: bool,
    /// The host's digests, message codes and signatures.
    pub crypto: bool,
    /// Bytes of log lines per call.
    pub log: u32,
    /// Outbound calls per request.
    pub calls: u32,
    pub imports: Imports,
}

/// What it may import though nothing of it is granted: an empty grant that a human wrote, for a component whose
/// settings leave a part of it unused. Each call is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imports {
    pub upstreams: bool,
    pub stores: bool,
    pub buckets: bool,
}

/// One upstream that it may call, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamGrant {
    pub name: Arc<str>,
    /// Empty: any.
    pub methods: Vec<Method>,
    /// Empty: any.
    pub paths: Vec<PathGrant>,
}

/// A path pattern: `*` is one segment, a last `**` is the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGrant(pub Arc<str>);

/// A kind of token bucket: holds `size` tokens and refills evenly within `per`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: Arc<str>,
    pub size: u32,
    pub per: Duration,
}

/// What it may spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of linear memory per instance.
    pub memory: usize,
    /// Wall time of one call, waiting included.
    pub time: Duration,
    /// Time of one call that the guest itself runs, counted in ticks of 2 ms.
    pub cpu: Duration,
    /// Host functions per call.
    pub host_calls: u32,
    /// Bytes copied into and out of the guest, per call.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Calls at the same time.
    pub concurrent: u32,
}

/// Text that Debug does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

// === impl Grants ===

impl Grants {
    /// Whether this call to an upstream is granted. `path` is normalised and has no query.
    pub(crate) fn allow(&self, upstream: &str, method: &Method, path: &str) -> bool {
        self.upstreams.iter().any(|grant| {
            *grant.name == *upstream
                && (grant.methods.is_empty() || grant.methods.contains(method))
                && (grant.paths.is_empty() || grant.paths.iter().any(|p| p.matches(path)))
        })
    }

    pub(crate) fn store(&self, name: &str) -> bool {
        self.stores.iter().any(|store| **store == *name)
    }

    pub(crate) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| *bucket.name == *name)
    }
}

// === impl PathGrant ===

impl PathGrant {
    fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        for part in self.0.split('/') {
            if part == "**" {
                return segments.next().is_some();
            }
            match segments.next() {
                Some(segment) if part == segment || (part == "*" && !segment.is_empty()) => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

impl fmt::Display for UpstreamGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let methods: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        let paths: Vec<&str> = self.paths.iter().map(|p| &*p.0).collect();
        match (methods.is_empty(), paths.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, " ({})", methods.join(" ")),
            (true, false) => write!(f, " ({})", paths.join(" ")),
            (false, false) => write!(f, " ({} on {})", methods.join(" "), paths.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_granted_by_segment() {
        for (pattern, path, fits) in [
            ("/users/*", "/users/7", true),
            ("/users/*", "/users/", false),
            ("/users/*", "/users/7/x", false),
            ("/users", "/users/", false),
            ("/keys/**", "/keys/a/b", true),
            ("/keys/**", "/keys/", true),
            ("/keys/**", "/keys", false),
            ("/keys/**", "/keysmith/a", false),
            ("/**", "/", true),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/b/d", false),
        ] {
            assert_eq!(
                PathGrant(pattern.into()).matches(path),
                fits,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn an_upstream_is_granted_by_name_method_and_path() {
        let grants = Grants {
            upstreams: vec![UpstreamGrant {
                name: "users".into(),
                methods: vec![Method::GET],
                paths: vec![PathGrant("/users/*".into())],
            }],
            ..Grants::default()
        };
        assert!(grants.allow("users", &Method::GET, "/users/7"));
        assert!(!grants.allow("users", &Method::DELETE, "/users/7"));
        assert!(!grants.allow("users", &Method::GET, "/admin"));
        assert!(!grants.allow("raids", &Method::GET, "/users/7"));
        assert_eq!(grants.upstreams[0].to_string(), "users (GET on /users/*)");
    }
}
