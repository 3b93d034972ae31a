//! Refuses what a page of another origin had a browser send, whatever the caller may do.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{StatusCode, Version};

use crate::answer::Problem;

/// Refuses names that are not this gateway's: a page whose name was made to point here (DNS rebinding) is, to the
/// browser, of one origin with the admin listener. An address cannot be made to point elsewhere.
pub(crate) fn host(head: &Parts, names: Option<&[String]>) -> Result<(), Problem> {
    let mut named = head.headers.get_all(HOST).iter();
    let (first, second) = (named.next(), named.next());
    let given = match (head.uri.authority(), first, second) {
        (_, _, Some(_)) => return Err(Problem::unreadable("`Host` is there twice")),
        // RFC 9112 section 3.2.2: what an absolute form says goes before Host.
        (Some(authority), _, None) => Some(authority.as_str()),
        (None, Some(host), None) => Some(host.to_str().unwrap_or_default()),
        (None, None, None) => None,
    };
    let Some(given) = given else {
        // RFC 9112 section 3.2: only HTTP/1.0 may leave it out, and no browser speaks that.
        return match head.version {
            Version::HTTP_10 => Ok(()),
            _ => Err(Problem::unreadable("`Host` is not there")),
        };
    };
    let Some(names) = names else {
        return Ok(());
    };
    if is_own(given, names) {
        return Ok(());
    }
    let text = "`Host` is not a name of this listener: ask for it by its address, by localhost, or by one of `hosts` in [admin]";
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "not_this_host",
        text,
    ))
}

/// `127.0.0.1:9901`, `[::1]`, `localhost:9901`
fn is_own(authority: &str, names: &[String]) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = host.to_ascii_lowercase();
    host.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || names.contains(&name)
}

/// Refuses what a page of another origin had a browser send (Fetch Metadata; RFC 6454 for older browsers). Only a
/// person who follows a link may come from another site, and a link changes nothing.
pub(crate) fn origin(head: &Parts, changes: bool) -> Result<(), Problem> {
    let text = |name: &str| {
        let value = head.headers.get(name)?;
        Some(value.to_str().unwrap_or_default())
    };
    let followed = || {
        !changes
            && text("sec-fetch-mode") == Some("navigate")
            && text("sec-fetch-dest") == Some("document")
    };
    let same_site = match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => followed(),
    };
    let same_origin = match text(ORIGIN.as_str()) {
        None => true,
        Some(origin) => {
            let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
            let (_, from) = origin.split_once("://").unwrap_or_default();
            host.is_some_and(|host| host.eq_ignore_ascii_case(from))
        }
    };
    if same_site && same_origin {
        return Ok(());
    }
    let text = "a page of another origin had a browser send this";
    Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn only_addresses_and_localhost_are_names_of_the_listener() {
        for (name, own) in [
            ("127.0.0.1:9901", true),
            ("127.0.0.1", true),
            ("[::1]:9901", true),
            ("10.1.2.3:9901", true),
            ("localhost:9901", true),
            ("LocalHost", true),
            ("gate.localhost:9901", true),
            ("evil.example:9901", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("", false),
        ] {
            let head = head(&[("host", name)]);
            assert_eq!(host(&head, Some(&[])).is_ok(), own, "{name}");
            assert!(host(&head, None).is_ok(), "{name}");
        }
        let names = ["gate.internal".to_owned()];
        assert!(host(&head(&[("host", "Gate.Internal:9901")]), Some(&names)).is_ok());
        assert!(host(&head(&[]), None).is_err());
        assert!(host(&head(&[("host", "localhost"), ("host", "localhost")]), None).is_err());
    }

    #[test]
    fn another_origin_may_only_link_to_a_page() {
        const HOST: (&str, &str) = ("host", "127.0.0.1:9901");
        let link = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        for (headers, looks, changes) in [
            (vec![HOST], true, true),
            (vec![HOST, ("origin", "http://127.0.0.1:9901")], true, true),
            (vec![HOST, ("origin", "https://127.0.0.1:9901")], true, true),
            (
                vec![HOST, ("origin", "http://127.0.0.1:8080")],
                false,
                false,
            ),
            (
                vec![HOST, ("origin", "http://127.0.0.1:99010")],
                false,
                false,
            ),
            (vec![HOST, ("origin", "null")], false, false),
            (vec![HOST, ("origin", "")], false, false),
            (vec![HOST, ("sec-fetch-site", "same-origin")], true, true),
            (vec![HOST, ("sec-fetch-site", "none")], true, true),
            (vec![HOST, ("sec-fetch-site", "same-site")], false, false),
            (vec![HOST, ("sec-fetch-site", "cross-site")], false, false),
            (
                vec![HOST, ("sec-fetch-site", "cross-site"), link[0], link[1]],
                true,
                false,
            ),
            (
                vec![
                    HOST,
                    ("sec-fetch-site", "cross-site"),
                    link[0],
                    ("sec-fetch-dest", "iframe"),
                ],
                false,
                false,
            ),
        ] {
            let head = head(&headers);
            assert_eq!(origin(&head, false).is_ok(), looks, "GET {headers:?}");
            assert_eq!(origin(&head, true).is_ok(), changes, "POST {headers:?}");
        }
    }
}
