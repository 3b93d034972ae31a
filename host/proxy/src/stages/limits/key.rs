//! What a request counts by, as a keyed hash. Addresses and credentials are not kept, and nobody who does not know the
//! secret can find two keys that meet.

use std::hash::Hasher;
use std::net::IpAddr;

use portcullis_config::plan::{KeyPart, PerPlan};
use portcullis_exchange::Exchange;
use siphasher::sip::SipHasher13;

use crate::ground::secret;

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
                KeyPart::Header(name) => {
                    // All lines: a second one is not a way to another count.
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
