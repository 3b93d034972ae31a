//! What a response is stored under: everything that chose it, so that no two requests that may differ in their
//! answer share one.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderName, VARY};
use portcullis_config::plan::Audience;
use portcullis_exchange::{Exchange, Target};

use crate::ground::fields;
use crate::stages::forwarded::Provenance;

/// The primary key. Each part is preceded by its length, so that no part can pass for two.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Arc<[u8]>);

/// Where a response belongs in the eyes of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// As the client wrote it, lower case, with its port.
    pub(super) host: Box<str>,
    /// Path and query; the path in its one spelling, so that a purge finds whichever a client wrote.
    pub(super) target: Box<str>,
}

/// The secondary key (RFC 9111 section 4.1): the fields that `Vary` names, and what the request said in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vary {
    names: Box<[HeaderName]>,
    values: Box<[u8]>,
}

// === impl Key ===

impl Key {
    /// The request as it is forwarded, after plugins had their say, and where to: of a split, each side has its own. The hosts include what a trusted proxy says in
    /// X-Forwarded-Host: the upstream may answer by it.
    pub(super) fn of(
        x: &Exchange,
        upstream: &str,
        audience: Audience,
        provenance: &Provenance,
    ) -> Key {
        let mut key = Vec::with_capacity(128);
        let (sent, first) = provenance.hosts();
        for part in [
            &*x.route,
            upstream,
            x.scheme,
            sent,
            first,
            x.target.as_str(),
        ] {
            push(&mut key, part.as_bytes());
        }
        if audience == Audience::Everyone {
            push_changed(&mut key, x);
        }
        match (audience, &x.caller) {
            (Audience::Everyone, _) | (_, None) => key.push(0),
            (Audience::Callers, Some(_)) => key.push(1),
            (Audience::Caller, Some(caller)) => {
                key.push(2);
                push(&mut key, caller.id.as_bytes());
                // One id may stand for less today than yesterday: what it may do is part of who it is.
                let roles = u32::try_from(caller.roles.len()).unwrap_or(u32::MAX);
                key.extend_from_slice(&roles.to_le_bytes());
                for role in &caller.roles {
                    push(&mut key, role.as_bytes());
                }
                for (name, value) in &caller.claims {
                    push(&mut key, name.as_bytes());
                    push(&mut key, value.as_bytes());
                }
            }
        }
        Key(key.into())
    }

    /// As it was written down.
    pub(super) fn saved(bytes: &[u8]) -> Key {
        Key(bytes.into())
    }

    /// The same with what a request says in the fields that are known to matter.
    pub(super) fn with(&self, vary: Option<&Vary>, request: &HeaderMap) -> Key {
        match vary {
            Some(vary) if !vary.names.is_empty() => {
                let mut key = self.0.to_vec();
                push(&mut key, &values(&vary.names, request));
                Key(key.into())
            }
            _ => self.clone(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn shared(&self) -> Arc<[u8]> {
        self.0.clone()
    }
}

/// What plugins set, and what they took out: they tell the upstream in it who asks, and `Vary` speaks of it to clients
/// that cannot send it.
fn push_changed(key: &mut Vec<u8>, x: &Exchange) {
    let mut names: Vec<&HeaderName> = x.changed_headers.iter().collect();
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    key.extend_from_slice(&count.to_le_bytes());
    for name in names {
        push(key, name.as_str().as_bytes());
        for value in x.request.get_all(name) {
            key.push(1);
            push(key, value.as_bytes());
        }
        key.push(0);
    }
}

fn push(key: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    key.extend_from_slice(&length.to_le_bytes());
    key.extend_from_slice(part);
}

// === impl Place ===

impl Place {
    pub(super) fn of(x: &Exchange, provenance: &Provenance) -> Place {
        Place {
            host: provenance.hosts().0.into(),
            target: x.target.to_canonical().into(),
        }
    }

    /// What `reference`, found in a response about this place, points to; None where that is another host.
    pub(super) fn resolve(&self, reference: &str) -> Option<Place> {
        let rest = reference
            .strip_prefix("http://")
            .or(reference.strip_prefix("https://"));
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match rest {
            Some(rest) => {
                let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let same = host.eq_ignore_ascii_case(&self.host);
                same.then(|| {
                    if target.is_empty() {
                        "/".to_owned()
                    } else {
                        target.to_owned()
                    }
                })?
            }
            None if reference.starts_with("//") => return None,
            None if reference.starts_with('/') => reference.to_owned(),
            None if reference.is_empty() => path.to_owned(),
            None => format!("{}{reference}", &path[..=path.rfind('/')?]),
        };
        let target = target.split('#').next().unwrap_or_default();
        let target = Target::parse(target).ok()?;
        Some(Place {
            host: self.host.clone(),
            target: target.to_canonical().into(),
        })
    }
}

// === impl Vary ===

impl Vary {
    /// None: `*`, or what is no field name; such a response fits no other request.
    pub(super) fn of(response: &HeaderMap, request: &HeaderMap) -> Option<Vary> {
        let mut names = Vec::new();
        for value in response.get_all(VARY) {
            for name in fields::list(value.to_str().ok()?) {
                if name == "*" {
                    return None;
                }
                names.push(HeaderName::from_bytes(name.as_bytes()).ok()?);
            }
        }
        names.sort_unstable_by(|a: &HeaderName, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Some(Vary {
            values: values(&names, request).into(),
            names: names.into(),
        })
    }

    /// To be written down.
    pub(super) fn saved(&self) -> (impl Iterator<Item = &str>, &[u8]) {
        (self.names.iter().map(HeaderName::as_str), &self.values)
    }

    /// As it was written down; None where those are no names.
    pub(super) fn restored(names: &[&str], values: &[u8]) -> Option<Vary> {
        let names = names.iter().map(|name| name.parse().ok());
        Some(Vary {
            names: names.collect::<Option<_>>()?,
            values: values.into(),
        })
    }

    pub(super) fn matches(&self, request: &HeaderMap) -> bool {
        self.names.is_empty() || *values(&self.names, request) == *self.values
    }

    pub(super) fn same_names(&self, other: &Vary) -> bool {
        self.names == other.names
    }

    pub(super) fn names(&self, name: &HeaderName) -> bool {
        self.names.contains(name)
    }

    pub(super) fn weight(&self) -> usize {
        self.values.len() + 32 * self.names.len()
    }
}

/// What a request says in some fields: absent and empty are different things.
fn values(names: &[HeaderName], request: &HeaderMap) -> Vec<u8> {
    let mut all = Vec::new();
    for name in names {
        let lines: Vec<&[u8]> = request
            .get_all(name)
            .iter()
            .map(http::HeaderValue::as_bytes)
            .collect();
        if lines.is_empty() {
            all.push(0);
            continue;
        }
        all.push(1);
        let one = lines.join(b", ".as_slice());
        match std::str::from_utf8(&one) {
            Ok(text) if is_negotiated(name) => push(&mut all, normalised(text).as_bytes()),
            _ => push(&mut all, &one),
        }
    }
    all
}

/// Lists in which neither case nor white space says anything (RFC 9110 section 12.5).
fn is_negotiated(name: &HeaderName) -> bool {
    [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE].contains(name)
}

fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for member in fields::list_with_strings(text) {
        if !out.is_empty() {
            out.push(',');
        }
        if member.contains('"') {
            out.push_str(member);
        } else {
            out.extend(
                member
                    .chars()
                    .filter(|c| !c.is_whitespace())
                    .map(|c| c.to_ascii_lowercase()),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use portcullis_exchange::Caller;

    use super::*;

    fn request(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_reference_is_followed_on_the_same_host_only() {
        let place = Place {
            host: "a.test:80".into(),
            target: "/x/y?q".into(),
        };
        let cases = [
            ("/z?w", Some("/z?w")),
            ("z", Some("/x/z")),
            ("../z#f", Some("/z")),
            ("", Some("/x/y")),
            ("http://A.test:80/z", Some("/z")),
            ("http://A.test:80", Some("/")),
            ("http://b.test/z", None),
            ("//b.test/z", None),
        ];
        for (reference, wanted) in cases {
            let found = place.resolve(reference).map(|place| place.target);
            assert_eq!(found.as_deref(), wanted, "{reference}");
        }
    }

    #[test]
    fn vary_compares_what_was_said_and_whether_it_was() {
        let response = request(&[("vary", "Foo, accept-language"), ("vary", "")]);
        let stored = [("foo", "1, 2"), ("accept-language", "en, de")];
        let vary = Vary::of(&response, &request(&stored)).expect("no star");
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&stored, true),
            (
                &[
                    ("foo", "1"),
                    ("foo", "2"),
                    ("accept-language", "EN,de"),
                    ("x", "y"),
                ],
                true,
            ),
            (&[("foo", "1,2"), ("accept-language", "en, de")], false),
            (&[("foo", "1, 2")], false),
            (&[("foo", "1, 2"), ("accept-language", "")], false),
            (&[], false),
        ];
        for (lines, wanted) in cases {
            let headers: HeaderMap = lines
                .iter()
                .map(|(n, v)| {
                    (
                        HeaderName::try_from(*n).expect("a name"),
                        HeaderValue::try_from(*v).expect("a value"),
                    )
                })
                .fold(HeaderMap::new(), |mut all, (n, v)| {
                    all.append(n, v);
                    all
                });
            assert_eq!(vary.matches(&headers), *wanted, "{lines:?}");
        }
        for star in ["*", "foo, *", " ,*", "a b"] {
            let response: HeaderMap = [(VARY, HeaderValue::from_static(star))]
                .into_iter()
                .collect();
            assert!(Vary::of(&response, &HeaderMap::new()).is_none(), "{star}");
        }
    }

    #[test]
    fn what_a_plugin_says_of_a_request_is_a_part_of_its_key() {
        let key = |lines: &[(&'static str, &'static str)], changed: &[&'static str], audience| {
            let x = Exchange {
                request: request(lines),
                changed_headers: changed
                    .iter()
                    .map(|name| HeaderName::from_static(name))
                    .collect(),
                ..Exchange::default()
            };
            Key::of(&x, "u", audience, &Provenance::default())
        };
        let everyone = |lines: &[_], changed: &[_]| key(lines, changed, Audience::Everyone);
        let alice = everyone(&[("x-subject", "alice"), ("accept", "a")], &["x-subject"]);
        let others = [
            everyone(&[("x-subject", "bob")], &["x-subject"]),
            everyone(&[], &["x-subject"]),
            everyone(&[("x-subject", "")], &["x-subject"]),
            everyone(&[("x-subject", "alice")], &[]),
            everyone(&[("x-subject", "alice")], &["x-subject", "accept"]),
            everyone(&[("x-subject", "al"), ("x-subject", "ice")], &["x-subject"]),
            everyone(&[("x-other", "alice")], &["x-other"]),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(alice != *other, "row {at}");
        }
        let again = everyone(&[("x-subject", "alice"), ("accept", "b")], &["x-subject"]);
        assert_eq!(alice, again);
        let lines = &[("a", "1"), ("b", "2")][..];
        assert_eq!(everyone(lines, &["a", "b"]), everyone(lines, &["b", "a"]));
        // Who shares one response says so by `shared = true`.
        let shared = |value| key(&[("x-subject", value)], &["x-subject"], Audience::Callers);
        assert_eq!(shared("alice"), shared("bob"));
    }

    #[test]
    fn no_two_callers_and_no_two_rights_share_a_key() {
        let caller = |id: &str, roles: &[&str], claims: &[(&str, &str)]| Caller {
            id: id.into(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            claims: claims
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let callers = [
            caller("1", &[], &[]),
            caller("2", &[], &[]),
            caller("1", &["a"], &[]),
            caller("1", &["a", "b"], &[]),
            caller("1", &["ab"], &[]),
            caller("1", &["a"], &[("b", "")]),
            caller("1", &[], &[("a", "b")]),
            caller("1", &[], &[("ab", "")]),
            caller("1\0a", &[], &[]),
        ];
        let key = |caller: &Caller| {
            let x = Exchange {
                caller: Some(caller.clone()),
                ..Exchange::default()
            };
            Key::of(&x, "u", Audience::Caller, &Provenance::default())
        };
        let keys: std::collections::HashSet<Key> = callers.iter().map(key).collect();
        assert_eq!(keys.len(), callers.len());
    }
}
