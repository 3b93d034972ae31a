//! What a request counts by, as a keyed hash. Addresses and credentials are not kept, and nobody who does not know the
//! secret can find two keys that meet.

use std::hash::Hasher;
use std::net::IpAddr;

use http::header::{AUTHORIZATION, HeaderValue};
use portcullis_config::plan::{KeyPart, PerPlan};
use portcullis_exchange::Exchange;
use siphasher::sip::SipHasher13;

use crate::ground::refusal::{Reason, Refusal};
use crate::ground::secret;

const API_KEY: &str = "x-api-key";

/// The key of the hash: this process's own here; gateways that share a store would share it.
#[derive(Debug, Clone, Copy)]
pub struct Secret(u64, u64);

impl Secret {
    pub fn random() -> Secret {
        let (one, two) = secret::hash_key();
        Secret(one, two)
    }

    pub fn key(&self, per: &PerPlan, x: &Exchange) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        for part in &per.parts {
            match part {
                KeyPart::ClientIp => match x.client_ip.map(|ip| ip.to_canonical()) {
                    Some(IpAddr::V4(ip)) => write(&mut hasher, &ip.octets()),
                    Some(IpAddr::V6(ip)) => {
                        let bits = 128 - u32::from(per.ipv6_prefix.min(128));
                        let net = u128::from(ip).checked_shr(bits).unwrap_or(0);
                        write(&mut hasher, &net.to_be_bytes());
                    }
                    None => absent(&mut hasher),
                },
                KeyPart::Caller => match &x.caller {
                    Some(caller) => write(&mut hasher, caller.id.as_bytes()),
                    None => absent(&mut hasher),
                },
                KeyPart::TlsSubject => match &x.client_certificate {
                    Some(certificate) => write(&mut hasher, certificate.subject.as_bytes()),
                    None => absent(&mut hasher),
                },
                KeyPart::Route => write(&mut hasher, x.route.as_bytes()),
                KeyPart::ApiKey => match x.request.get(API_KEY) {
                    Some(key) => write(&mut hasher, key.as_bytes()),
                    None => match x.request.get(AUTHORIZATION).map(credential) {
                        Some((_, credential)) => write(&mut hasher, credential),
                        None => absent(&mut hasher),
                    },
                },
                KeyPart::Header(name) if **name == AUTHORIZATION => {
                    match x.request.get(AUTHORIZATION).map(credential) {
                        Some((scheme, credential)) => {
                            write(&mut hasher, &scheme.to_ascii_lowercase());
                            write(&mut hasher, credential);
                        }
                        None => absent(&mut hasher),
                    }
                }
                KeyPart::Header(name) => {
                    // All lines: where one is not refused, in a dry run, a second is not a way to another count.
                    for value in x.request.get_all(name) {
                        write(&mut hasher, value.as_bytes());
                    }
                    absent(&mut hasher);
                }
            }
        }
        hasher.finish()
    }
}

/// Refuses a request that shows what it is counted by more than once: by each combination it would have another count,
/// and a service or a plugin takes one of them.
pub(super) fn check(per: &PerPlan, x: &Exchange) -> Result<(), Refusal> {
    let refuse = |why: String| {
        Err(Refusal::new(Reason::InvalidRequest)
            .detail(format!("{why}, and requests are counted by it")))
    };
    let is_twice = |name: &str| x.request.get_all(name).iter().nth(1).is_some();
    for part in &per.parts {
        match part {
            KeyPart::ApiKey if is_twice(API_KEY) => {
                return refuse(format!("the request has more than one {API_KEY}"));
            }
            KeyPart::ApiKey if shows_two_keys(x) => {
                return refuse(format!(
                    "the request has a key in {API_KEY} and another one in authorization"
                ));
            }
            KeyPart::Header(name) if is_twice(name) => {
                return refuse(format!("the request has more than one {name}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn shows_two_keys(x: &Exchange) -> bool {
    let by_scheme = x.request.get(AUTHORIZATION).map(credential);
    let by_scheme = by_scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"apikey"));
    let by_header = x.request.get(API_KEY);
    by_scheme
        .zip(by_header)
        .is_some_and(|((_, credential), key)| credential != key.as_bytes())
}

/// Scheme and credential of Authorization (RFC 9110 section 11.4): any number of spaces stands between them. Padding at
/// the end of a token68 says nothing.
fn credential(value: &HeaderValue) -> (&[u8], &[u8]) {
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace);
    let (scheme, rest) = value.split_at(end.unwrap_or(value.len()));
    let rest = rest.trim_ascii();
    let end = rest.iter().rposition(|b| *b != b'=').map_or(0, |at| at + 1);
    (scheme, &rest[..end])
}

/// With its length, so that no two lists of parts read the same.
fn write(hasher: &mut SipHasher13, bytes: &[u8]) {
    hasher.write(&(bytes.len() as u64 + 1).to_le_bytes());
    hasher.write(bytes);
}

/// What is not there counts too: those without a header share one count.
fn absent(hasher: &mut SipHasher13) {
    hasher.write(&0_u64.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per(parts: &[KeyPart], ipv6_prefix: u8) -> PerPlan {
        PerPlan {
            parts: parts.to_vec(),
            ipv6_prefix,
        }
    }

    fn from(ip: &str) -> Exchange {
        Exchange {
            client_ip: Some(ip.parse().expect("an address")),
            ..Exchange::default()
        }
    }

    #[test]
    fn ipv6_addresses_of_one_network_count_together() {
        let secret = Secret::random();
        let same = |prefix, a: &str, b: &str| {
            let per = per(&[KeyPart::ClientIp], prefix);
            secret.key(&per, &from(a)) == secret.key(&per, &from(b))
        };
        let rows = [
            (64, "2001:db8::1", "2001:db8::ffff", true),
            (64, "2001:db8::1", "2001:db8:0:1::1", false),
            (56, "2001:db8::1", "2001:db8:0:ff::1", true),
            (56, "2001:db8::1", "2001:db8:0:100::1", false),
            (128, "2001:db8::1", "2001:db8::2", false),
            (64, "192.0.2.1", "192.0.2.2", false),
            (64, "192.0.2.1", "::ffff:192.0.2.1", true),
            (16, "192.0.2.1", "192.0.2.2", false),
        ];
        for (prefix, a, b, want) in rows {
            assert_eq!(same(prefix, a, b), want, "{a} and {b} by /{prefix}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let secret = Secret::random();
        let header = |name: &str| KeyPart::Header(name.to_owned());
        let per = per(&[header("a"), header("b")], 64);
        let with = |lines: &[(&'static str, &'static str)]| {
            let mut x = Exchange::default();
            for (name, value) in lines {
                let value = http::HeaderValue::from_static(value);
                x.request.append(*name, value);
            }
            secret.key(&per, &x)
        };
        let different = [
            with(&[]),
            with(&[("a", "")]),
            with(&[("b", "")]),
            with(&[("a", "xy")]),
            with(&[("a", "x"), ("b", "y")]),
            with(&[("a", "x"), ("a", "y")]),
            with(&[("b", "x"), ("b", "y")]),
            with(&[("a", "y"), ("b", "x")]),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[..at].contains(one), "row {at} meets another");
        }
        assert_eq!(with(&[("a", "x")]), with(&[("a", "x"), ("c", "y")]));
        assert_ne!(Secret::random().key(&per, &Exchange::default()), with(&[]));
    }

    #[test]
    fn a_key_has_one_count_however_it_is_written() {
        let secret = Secret::random();
        let authorization = per(&[KeyPart::Header("authorization".to_owned())], 64);
        let api_key = per(&[KeyPart::ApiKey], 64);
        let key = |per: &PerPlan, name: &'static str, value: &'static str| {
            let mut x = Exchange::default();
            x.request.append(name, HeaderValue::from_static(value));
            secret.key(per, &x)
        };
        let of = |value| key(&authorization, "authorization", value);
        for same in [
            "bearer T",
            "BEARER  T",
            "Bearer \t T",
            "Bearer T ",
            "Bearer T=",
            "bearer T==",
        ] {
            assert_eq!(of("Bearer T"), of(same), "{same}");
        }
        for other in [
            "Bearer t",
            "Basic T",
            "BearerT",
            "Bearer",
            "Bearer T T",
            "T",
        ] {
            assert_ne!(of("Bearer T"), of(other), "{other}");
        }
        let none = secret.key(&api_key, &Exchange::default());
        let by_header = key(&api_key, "x-api-key", "K");
        assert_eq!(by_header, key(&api_key, "authorization", "ApiKey K"));
        assert_eq!(by_header, key(&api_key, "authorization", "apikey  K"));
        assert_ne!(by_header, key(&api_key, "authorization", "ApiKey L"));
        assert_ne!(by_header, none);
        assert_ne!(key(&api_key, "authorization", "ApiKey K"), none);
    }

    #[test]
    fn what_is_counted_by_stands_once() {
        let with = |lines: &[(&'static str, &'static str)]| {
            let mut x = Exchange::default();
            for (name, value) in lines {
                x.request.append(*name, HeaderValue::from_static(value));
            }
            x
        };
        let header = per(&[KeyPart::ClientIp, KeyPart::Header("x-team".into())], 64);
        let api_key = per(&[KeyPart::ApiKey], 64);
        type Lines = &'static [(&'static str, &'static str)];
        let rows: &[(&PerPlan, Lines, bool)] = &[
            (&header, &[], true),
            (&header, &[("x-team", "a")], true),
            (&header, &[("x-team", "a"), ("x-team", "b")], false),
            (&header, &[("x-team", "a"), ("x-team", "a")], false),
            (&header, &[("x-api-key", "a"), ("x-api-key", "b")], true),
            (&api_key, &[("x-api-key", "a"), ("x-api-key", "a")], false),
            (
                &api_key,
                &[("x-api-key", "a"), ("authorization", "ApiKey a")],
                true,
            ),
            (
                &api_key,
                &[("x-api-key", "a"), ("authorization", "apikey b")],
                false,
            ),
            (
                &api_key,
                &[("x-api-key", "a"), ("authorization", "Bearer b")],
                true,
            ),
            (&api_key, &[("authorization", "ApiKey b")], true),
        ];
        for (per, lines, fits) in rows {
            assert_eq!(check(per, &with(lines)).is_ok(), *fits, "{lines:?}");
        }
    }

    #[test]
    fn certificates_count_by_their_subject() {
        let secret = Secret::random();
        let per = per(&[KeyPart::TlsSubject], 64);
        let with = |subject: Option<&str>| {
            let certificate = subject.map(|subject| portcullis_exchange::ClientCertificate {
                subject: subject.to_owned(),
                ..Default::default()
            });
            let x = Exchange {
                client_certificate: certificate.map(Into::into),
                ..Exchange::default()
            };
            secret.key(&per, &x)
        };
        assert_eq!(with(Some("CN=a")), with(Some("CN=a")));
        assert_ne!(with(Some("CN=a")), with(Some("CN=b")));
        assert_ne!(with(Some("")), with(None));
    }
}
