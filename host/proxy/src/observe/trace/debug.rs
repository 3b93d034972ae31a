//! The signed debug header: who can sign for a method and a path is told the trail of such a request. For everybody
//! else it is as if the header was not there; it never goes on to plugins or upstreams.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::header::HeaderName;
use http::{Method, Request};
use portcullis_config::plan::Secret;
use sha2::Sha256;

use crate::ground::clock::since_1970;

/// Request header: `<expiry>.<signature>`, seconds since 1970 and HMAC-SHA256 in hexadecimal.
pub const DEBUG: HeaderName = HeaderName::from_static("portcullis-debug");

/// How long a signature may last: what leaks from a shell's history or a proxy's log is soon of no use.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The value of `portcullis-debug` for requests of a method for a path (as sent, without the query), for `lasts` from now on.
pub fn sign(key: &Secret, method: &Method, path: &str, lasts: Duration) -> String {
    let expiry = now() + lasts.min(LONGEST).as_secs();
    let signature = mac(key, expiry, method, path).finalize().into_bytes();
    format!("{expiry}.{}", hex::encode(signature))
}

/// Takes the header out of a request; whether it was good.
pub(super) fn take<B>(key: Option<&Secret>, request: &mut Request<B>) -> bool {
    // Almost always: there is none.
    if !request.headers().contains_key(DEBUG) {
        return false;
    }
    let good = key.is_some_and(|key| {
        let mut values = request.headers().get_all(DEBUG).iter();
        let only = values.next().filter(|_| values.next().is_none());
        let text = only.and_then(|value| value.to_str().ok());
        text.is_some_and(|text| verify(key, request.method(), request.uri().path(), text))
    });
    request.headers_mut().remove(DEBUG);
    good
}

fn verify(key: &Secret, method: &Method, path: &str, text: &str) -> bool {
    let Some((expiry, signature)) = text.split_once('.') else {
        return false;
    };
    let plain = expiry.bytes().all(|b| b.is_ascii_digit());
    let (Ok(expiry), Ok(signature), true) = (expiry.parse(), hex::decode(signature), plain) else {
        return false;
    };
    let now = now();
    let lasts = expiry > now && expiry <= now + LONGEST.as_secs();
    // Compared in constant time.
    mac(key, expiry, method, path)
        .verify_slice(&signature)
        .is_ok()
        && lasts
}

/// Neither part can hold a line feed, so two different requests never read the same. An extended CONNECT (RFC 8441)
/// is the GET that it is over HTTP/1.1.
fn mac(key: &Secret, expiry: u64, method: &Method, path: &str) -> Hmac<Sha256> {
    let method = match *method {
        Method::CONNECT => &Method::GET,
        _ => method,
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(format!("portcullis-debug\n{expiry}\n{method}\n{path}").as_bytes());
    mac
}

fn now() -> u64 {
    since_1970().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Secret {
        Secret::new(text)
    }

    #[test]
    fn a_signature_is_good_for_its_key_method_path_and_time_only() {
        let (own, get) = (key("k1"), Method::GET);
        let good = sign(&own, &get, "/a", LONGEST);
        assert!(verify(&own, &get, "/a", &good));
        assert!(verify(&own, &Method::CONNECT, "/a", &good), "RFC 8441");
        assert!(!verify(&key("k2"), &get, "/a", &good));
        assert!(!verify(&own, &Method::POST, "/a", &good));
        assert!(!verify(&own, &get, "/b", &good));
        let (expiry, signature) = good.split_once('.').expect("two parts");
        let later = expiry.parse::<u64>().expect("a number") + 1;
        let mut flipped = signature.to_owned();
        flipped.replace_range(..1, if signature.starts_with('0') { "1" } else { "0" });
        for bad in [
            format!("{later}.{signature}"),
            format!("{expiry}.{flipped}"),
            format!("{expiry}.{}", &signature[..62]),
            format!("{expiry}.{signature}00"),
            format!("{expiry}.{}", signature.to_uppercase() + " "),
            format!("+{expiry}.{signature}"),
            format!("{expiry}{signature}"),
            format!(".{signature}"),
            format!("{expiry}."),
            String::new(),
        ] {
            assert!(!verify(&own, &get, "/a", &bad), "{bad}");
        }
    }

    #[test]
    fn a_signature_lasts_an_hour_at_the_most_and_no_longer_than_it_says() {
        let (own, get) = (key("k1"), Method::GET);
        let at = |expiry: u64| {
            let signature = mac(&own, expiry, &get, "/a").finalize().into_bytes();
            verify(
                &own,
                &get,
                "/a",
                &format!("{expiry}.{}", hex::encode(signature)),
            )
        };
        let now = now();
        assert!(at(now + 3000));
        assert!(!at(now + 7200), "longer than anybody may sign for");
        assert!(!at(now - 1), "over");
        assert!(!at(0) && !at(u64::MAX));
    }
}
