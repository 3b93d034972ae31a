//! Names of header fields that must not be a stranger's: those that speak for a proxy, and those that services cannot
//! tell from another name.

/// Beginnings of names that speak for a proxy.
pub const FORWARDING_PREFIXES: &[&str] = &[
    "ssl-client-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authenticated-",
    "x-client-cert",
    "x-client-ssl-",
    "x-client-tls-",
    "x-envoy-",
    "x-forwarded",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-middleware-",
    "x-ms-client-principal",
    "x-original-",
    "x-remote-",
    "x-ssl-",
];

/// Names that speak for a proxy: who the client is, how it came, what it asked for, and which method or path is meant
/// instead. In order.
pub const FORWARDING: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "cluster-client-ip",
    "fastly-client-ip",
    "fastly-ssl",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "forwarded-for-ip",
    "front-end-https",
    "incap-client-ip",
    "proxy-client-ip",
    "remote-addr",
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "script-name",
    "true-client-ip",
    "wl-proxy-client-ip",
    "wl-proxy-ssl",
    "x-accel-mapping",
    "x-appengine-user-ip",
    "x-arr-clientcert",
    "x-arr-ssl",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-dn",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-host",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-https",
    "x-method-override",
    "x-mirrored",
    "x-nf-client-connection-ip",
    "x-override-url",
    "x-proto",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-rewrite-uri",
    "x-rewrite-url",
    "x-scheme",
    "x-script-name",
    "x-sendfile-type",
    "x-sucuri-clientip",
    "x-tls-client-cert",
    "x-url-scheme",
    "x-vercel-forwarded-for",
    "x-webauth-user",
];

/// Whether a name, in lower case, speaks for a proxy.
pub fn is_forwarding(name: &str) -> bool {
    // Most fields of most requests begin with another letter.
    let may = matches!(
        name.as_bytes().first(),
        Some(b'c' | b'f' | b'i' | b'p' | b'r' | b's' | b't' | b'w' | b'x')
    );
    may && (FORWARDING.binary_search(&name).is_ok()
        || FORWARDING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix)))
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
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_begin_with_letters_that_are_looked_for() {
        assert!(FORWARDING.is_sorted() && FORWARDING_PREFIXES.is_sorted());
        for name in FORWARDING.iter().chain(FORWARDING_PREFIXES) {
            assert!(is_forwarding(name), "{name}");
            assert!(!is_ambiguous(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_speaks_for_a_proxy_is_known() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-client-cert",
            "x-forwarded-prefix",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "true-client-ip",
            "x-client-ip",
            "front-end-https",
            "x-http-method-override",
            "x-ssl-client-verify",
        ] {
            assert!(is_forwarding(name), "{name}");
        }
        for name in [
            "",
            "accept",
            "authorization",
            "cookie",
            "content-type",
            "origin",
            "referer",
            "user-agent",
            "traceparent",
            "x-request-id",
            "x-requested-with",
            "x-api-key",
            "x-user-id",
            "x-real-ip-address",
            "forwarded-fo",
        ] {
            assert!(!is_forwarding(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_folds_into_another_is_ambiguous() {
        for name in [
            "x_user_id",
            "x-user_id",
            "x.user.id",
            "x!a",
            "x~a",
            "_",
            "content_length",
        ] {
            assert!(is_ambiguous(name), "{name}");
        }
        for name in ["x-user-id", "host", "x-1", "dnt", "sec-ch-ua"] {
            assert!(!is_ambiguous(name), "{name}");
        }
    }

    #[test]
    fn a_pattern_is_a_name_or_the_beginning_of_names() {
        let patterns = NamePatterns::new(["X-Team", "x-internal-*"]);
        for (name, held) in [
            ("x-team", true),
            ("x-team-a", false),
            ("x-internal-", true),
            ("x-internal-a", true),
            ("x-intern", false),
        ] {
            assert_eq!(patterns.hold(name), held, "{name}");
        }
        assert!(!patterns.is_empty() && NamePatterns::default().is_empty());
        assert!(!NamePatterns::new(["a"]).is_empty() && !NamePatterns::new(["a*"]).is_empty());
    }
}
