//! Header fields of a client that go no further: those that belong to its connection, those that speak for a proxy,
//! and those that a service could take for another field.

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName, HeaderValue};
use portcullis_config::plan::HeaderRules;
use portcullis_syntax::headers::{is_ambiguous, is_forwarding, is_hop_by_hop, is_rewritten};

use crate::ground::fields;

/// Why a field goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwanted {
    /// RFC 9110 section 7.6.1.
    HopByHop,
    Forwarding,
    Ambiguous,
}

/// Fields that were taken out of a request although they are no hop's own: for metrics and log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) forwarding: Vec<HeaderName>,
    pub(crate) ambiguous: Vec<HeaderName>,
}

/// Names that the log is given.
const TOLD: usize = 8;

/// Takes out of a request what goes no further. `trusted`: the peer may speak for its clients.
pub(crate) fn sift(headers: &mut HeaderMap, rules: &HeaderRules, trusted: bool) -> Dropped {
    remove_listed(headers);
    let judged =
        |name: &HeaderName| judge(name.as_str(), rules, trusted).map(|why| (name.clone(), why));
    // One look at each name, for there is seldom more than one to remove.
    let unwanted: Vec<(HeaderName, Unwanted)> = headers.keys().filter_map(judged).collect();
    let mut dropped = Dropped::default();
    for (name, why) in unwanted {
        headers.remove(&name);
        match why {
            Unwanted::HopByHop => {}
            Unwanted::Forwarding if trusted => {}
            Unwanted::Forwarding => dropped.forwarding.push(name),
            Unwanted::Ambiguous => dropped.ambiguous.push(name),
        }
    }
    dropped
}

impl Dropped {
    /// For the log: the first of them.
    pub(crate) fn names(&self) -> Vec<&str> {
        let all = self.forwarding.iter().chain(&self.ambiguous);
        all.take(TOLD).map(HeaderName::as_str).collect()
    }
}

fn judge(name: &str, rules: &HeaderRules, trusted: bool) -> Option<Unwanted> {
    if is_hop_by_hop(name) {
        return Some(Unwanted::HopByHop);
    }
    if is_rewritten(name) {
        return Some(Unwanted::Forwarding);
    }
    let why = if !trusted && (is_forwarding(name) || rules.remove.hold(name)) {
        Unwanted::Forwarding
    } else if is_ambiguous(name) && !rules.keep_ambiguous {
        Unwanted::Ambiguous
    } else {
        return None;
    };
    (!rules.keep.hold(name)).then_some(why)
}

/// Takes the fields of a connection out of a message that a plugin or an upstream made.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    remove_listed(headers);
    while let Some(name) = headers
        .keys()
        .find(|name| is_hop_by_hop(name.as_str()))
        .cloned()
    {
        headers.remove(name);
    }
}

/// Whether the gateway itself writes the field, or reads it from a trusted proxy.
pub(crate) fn is_the_gateway_s(name: &HeaderName) -> bool {
    is_rewritten(name.as_str())
}

/// Removes what `Connection` lists.
fn remove_listed(headers: &mut HeaderMap) {
    if headers.get_all(CONNECTION).iter().all(lists_nothing) {
        return;
    }
    for name in listed_in_connection(headers) {
        headers.remove(name);
    }
}

/// What `Connection` mostly says.
fn lists_nothing(value: &HeaderValue) -> bool {
    let usual = |option: &[u8]| value.as_bytes().eq_ignore_ascii_case(option);
    usual(b"keep-alive") || usual(b"close")
}

/// What `Connection` lists, except the end-to-end fields that it must not be able to remove.
fn listed_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    const KEPT: [&str; 8] = [
        "host",
        "cookie",
        "authorization",
        "content-type",
        "content-encoding",
        "cache-control",
        "x-request-id",
        "origin",
    ];
    let tokens = fields::elements(headers, &CONNECTION);
    let names = tokens.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok());
    names
        .filter(|name| !KEPT.contains(&name.as_str()) && !is_the_gateway_s(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use portcullis_syntax::headers::NamePatterns;

    use super::*;

    fn with(names: &[&str]) -> HeaderMap {
        let field = |name: &&str| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_static("1"))
        };
        names.iter().map(field).collect()
    }

    fn left(headers: &HeaderMap) -> Vec<&str> {
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn connection_cannot_remove_what_authorization_rests_on() {
        let names = [
            "authorization",
            "x-gone",
            "x-forwarded-for",
            "keep-alive",
            "te",
        ];
        let mut headers = with(&names);
        let listed = "close, authorization, x-gone, x-forwarded-for";
        headers.insert(CONNECTION, HeaderValue::from_static(listed));
        strip_hop_by_hop(&mut headers);
        assert_eq!(left(&headers), ["authorization", "x-forwarded-for"]);
    }

    #[test]
    fn a_stranger_speaks_for_nobody() {
        let names = [
            "accept",
            "connection",
            "forwarded",
            "front-end-https",
            "true-client-ip",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-prefix",
            "x-http-method-override",
            "x-internal-team",
            "x-mirrored",
            "x-original-url",
            "x-real-ip",
            "x-user_id",
            "x_user_id",
            "x.user.id",
            "x-user-id",
        ];
        let rules = HeaderRules {
            remove: NamePatterns::new(["x-internal-*"]),
            ..HeaderRules::default()
        };
        let mut strange = with(&names);
        let dropped = sift(&mut strange, &rules, false);
        assert_eq!(left(&strange), ["accept", "x-user-id"]);
        assert_eq!((dropped.forwarding.len(), dropped.ambiguous.len()), (11, 3));
        assert_eq!(dropped.names().len(), TOLD);
        // A trusted proxy may speak for its clients, but not in names that can be taken for others.
        let mut trusted = with(&names);
        let dropped = sift(&mut trusted, &rules, true);
        assert_eq!(
            left(&trusted),
            [
                "accept",
                "front-end-https",
                "true-client-ip",
                "x-forwarded-client-cert",
                "x-forwarded-prefix",
                "x-http-method-override",
                "x-internal-team",
                "x-original-url",
                "x-user-id"
            ]
        );
        assert_eq!(dropped.names(), ["x-user_id", "x_user_id", "x.user.id"]);
    }

    #[test]
    fn what_is_kept_is_kept_and_what_the_gateway_reads_is_not() {
        let rules = HeaderRules {
            keep: NamePatterns::new(["x-http-method-override", "api_*", "x-real-ip"]),
            ..HeaderRules::default()
        };
        let mut headers = with(&["x-http-method-override", "api_key", "x_y", "x-real-ip"]);
        sift(&mut headers, &rules, false);
        assert_eq!(left(&headers), ["api_key", "x-http-method-override"]);
        let rules = HeaderRules {
            keep_ambiguous: true,
            ..HeaderRules::default()
        };
        let mut headers = with(&["x_y", "x-original-url"]);
        assert_eq!(
            sift(&mut headers, &rules, false).names(),
            ["x-original-url"]
        );
        assert_eq!(left(&headers), ["x_y"]);
    }
}
