//! Looks at each program's responses before it is measured, so that none is measured while it refuses or skips the work.

use std::process::Command;

use crate::cargo::says;
use crate::{Done, Failure};

use super::load;
use super::rows::{Group, Row};
use super::running::Programs;

/// Credentials for the rows with an HMAC: values of an Authorization header.
pub(super) struct Credentials {
    pub(super) good: String,
    /// Signed well, but long ago.
    pub(super) expired: String,
}

/// A response, as curl reports it.
#[derive(Debug, PartialEq)]
struct Response {
    status: u16,
    version: String,
    /// Bytes of the body.
    length: usize,
    /// In lower case.
    head: String,
}

/// Fails if the row's program does not do what the row is about.
pub(super) fn check(row: &Row, programs: &Programs, credentials: &Credentials) -> Done {
    // echo-sockets compares each echo with what it sent.
    if row.group == Group::Sockets {
        return Ok(());
    }
    let url = load::url(row, programs)?;
    let wrong = |what: &str, response: &Response| {
        Err(Failure::new(format!(
            "{}: {what} was expected, not {response:?}",
            row.key()
        )))
    };
    let credential = (row.group == Group::Telegram).then_some(credentials.good.as_str());
    let response = ask(&url, row.group, credential)?;
    if response.status != 200 || response.length != row.group.body() {
        return wrong(&format!("200 with {} bytes", row.group.body()), &response);
    }
    let version = if row.group == Group::Http2 {
        "2"
    } else {
        "1.1"
    };
    if response.version != version {
        return wrong(&format!("HTTP/{version}"), &response);
    }
    match row.group {
        Group::Headers if !response.has("x-b: 1") || !response.has("x-seen: 1") => {
            wrong("a header of the request and one of the response", &response)
        }
        Group::Cached | Group::Pages => {
            let again = ask(&url, row.group, None)?;
            match (response.value("x-serial"), again.value("x-serial")) {
                (Some(one), Some(other)) if one == other => Ok(()),
                _ => wrong("the stored response", &again),
            }
        }
        Group::Telegram => {
            let tampered = credentials.good.replace("auth_date=", "auth_date=1");
            for bad in [
                None,
                Some(tampered.as_str()),
                Some(credentials.expired.as_str()),
            ] {
                let refused = ask(&url, row.group, bad)?;
                if refused.status != 401 {
                    return wrong(&format!("401 for {bad:?}"), &refused);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn ask(url: &str, group: Group, credential: Option<&str>) -> Done<Response> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--insecure", "--tlsv1.3", "--max-time", "10"]);
    curl.args(["--output", "/dev/null", "--dump-header", "-"]);
    curl.args([
        "--write-out",
        "\n%{http_code} %{http_version} %{size_download}",
    ]);
    curl.arg(if group == Group::Http2 {
        "--http2"
    } else {
        "--http1.1"
    });
    if group == Group::Handshake {
        curl.args(["--header", "Connection: close"]);
    }
    if let Some(credential) = credential {
        curl.args(["--header", &format!("Authorization: {credential}")]);
    }
    let said = says(curl.arg(url))
        .ok_or_else(|| Failure::new(format!("curl got no response from {url}")))?;
    Response::read(&said).ok_or_else(|| Failure::new(format!("curl said of {url}:\n{said}")))
}

// === impl Response ===

impl Response {
    fn read(said: &str) -> Option<Self> {
        let (head, last) = said.rsplit_once('\n')?;
        let mut words = last.split_whitespace();
        Some(Self {
            status: words.next()?.parse().ok()?,
            version: words.next()?.to_owned(),
            length: words.next()?.parse().ok()?,
            head: head.to_ascii_lowercase(),
        })
    }

    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|has| has.trim() == line)
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(has, _)| *has == name)
            .map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_from_what_curl_prints() {
        let said = "HTTP/1.1 200 OK\r\nX-B: 1\r\nX-Serial: Ab\r\n\r\n\n200 1.1 1024";
        let response = Response::read(said).expect("complete");
        assert_eq!(
            (response.status, response.version.as_str(), response.length),
            (200, "1.1", 1024)
        );
        assert!(response.has("x-b: 1") && !response.has("x-b: 2"));
        assert_eq!(
            (response.value("x-serial"), response.value("x-c")),
            (Some("ab"), None)
        );
        assert_eq!(Response::read("HTTP/1.1 200 OK\r\n\r\n\n200 1.1"), None);
    }
}
