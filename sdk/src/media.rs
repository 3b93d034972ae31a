//! What a message says that its body is, read strictly: `Content-Type` (RFC 9110 section 8.3.1), `Content-Encoding`
//! and whether it is only a part.
//!
//! Readers that guess guess differently, and a rule that guessed another type than the service is a rule that was
//! walked around. So what can be read in two ways is an error here, and never a guess.

use std::fmt;

use crate::settings::is_token;
use crate::{Message, Side};

/// A content type, in lower case but for the values of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

/// What a message says of its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// `None`: it does not say.
    pub media_type: Option<MediaType>,
    /// It is compressed, or encoded in another way than `identity`.
    pub encoded: bool,
    /// It is a part of something, or a difference to something: no document of its own.
    pub partial: bool,
}

/// Why it is not known what a message says of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// There is more than one content type: readers disagree on which one counts.
    Repeated,
    /// The content type is none: it is empty, a list, or has a parameter that is none or is there twice.
    Malformed,
}

/// 226 IM Used (RFC 3229): the body is a difference to what the client has.
const IM_USED: u16 = 226;
const PARTIAL_CONTENT: u16 = 206;

impl MediaType {
    /// Parses one: `type "/" subtype *( OWS ";" OWS name "=" ( token / quoted-string ) )`.
    ///
    /// ```
    /// use portcullis_sdk::media::MediaType;
    ///
    /// let json = MediaType::parse("Application/JSON; charset=\"utf-8\"").unwrap();
    /// assert_eq!(json.essence(), "application/json");
    /// assert!(json.is_json() && json.is_utf8());
    /// for doubtful in ["application/json;", "text/csv, application/json", "text/csv; charset=a; charset=b"] {
    ///     assert!(MediaType::parse(doubtful).is_err());
    /// }
    /// ```
    pub fn parse(text: &str) -> Result<MediaType, Doubt> {
        let text = text.trim_matches([' ', '\t']);
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (essence, mut rest) = text.split_at(end);
        let whole = essence.split_once('/');
        if !whole.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype)) {
            return Err(Doubt::Malformed);
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        while !rest.is_empty() {
            let (name, value, after) = parameter(rest).ok_or(Doubt::Malformed)?;
            let name = name.to_ascii_lowercase();
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(Doubt::Malformed);
            }
            parameters.push((name, value));
            rest = after;
        }
        Ok(MediaType {
            essence: essence.to_ascii_lowercase(),
            parameters,
        })
    }

    /// Type and subtype, in lower case: `application/json`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, without quotes.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(n, _)| n == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Whether a body of this type is JSON.
    pub fn is_json(&self) -> bool {
        let subtype = self.subtype();
        subtype == "json" || subtype == "x-json" || subtype.ends_with("+json")
    }

    /// Whether there are services that read a body of this type as JSON, be it JSON or not: these types, and
    /// `application/jsonrequest`, `text/javascript`.
    pub fn passes_for_json(&self) -> bool {
        let subtype = self.subtype();
        self.is_json()
            || subtype.starts_with("json")
            || subtype.contains("+json")
            || ["javascript", "x-javascript"].contains(&subtype)
    }

    fn subtype(&self) -> &str {
        self.essence.split('/').nth(1).unwrap_or_default()
    }

    /// Whether its text is UTF-8: it says so, or says nothing.
    pub fn is_utf8(&self) -> bool {
        let known = |charset: &str| {
            ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|name| charset.eq_ignore_ascii_case(name))
        };
        self.parameter("charset").is_none_or(known)
    }
}

/// One parameter with its `;` from the start of a text, and what stands behind.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let blank = [' ', '\t'];
    let text = text.trim_start_matches(blank).strip_prefix(';')?;
    let (name, text) = text.trim_start_matches(blank).split_once('=')?;
    if !is_token(name) {
        return None;
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) = unquoted(quoted)?;
        return Some((name, value, after));
    }
    let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
    let (value, after) = text.split_at(end);
    is_token(value).then(|| (name, value.to_owned(), after))
}

/// What stands before the closing quote, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

impl Message<'_> {
    /// What the message says of its body. All lines and all elements of lists count.
    pub fn content(&self) -> Result<Content, Doubt> {
        let media_type = match self.header_all("content-type").as_slice() {
            [] => None,
            [one] => {
                let text = std::str::from_utf8(one).map_err(|_| Doubt::Malformed)?;
                Some(MediaType::parse(text)?)
            }
            _ => return Err(Doubt::Repeated),
        };
        let in_parts = |media_type: &MediaType| {
            ["multipart/byteranges", "multipart/x-byteranges"].contains(&media_type.essence())
        };
        let partial = match (self.side(), self.status()) {
            (Side::Response, Some(PARTIAL_CONTENT | IM_USED)) => true,
            (Side::Response, _) => media_type.as_ref().is_some_and(in_parts),
            (Side::Request, _) => self.header_bytes("content-range").is_some(),
        };
        Ok(Content {
            media_type,
            encoded: self
                .header_all("content-encoding")
                .iter()
                .any(|line| encodes(line)),
            partial,
        })
    }
}

impl Content {
    /// Why a rule cannot read the body as it stands, if it cannot.
    pub fn obstacle(&self) -> Option<&'static str> {
        if self.partial {
            Some("it is a part and no document of its own")
        } else if self.encoded {
            Some("it is encoded (content-encoding)")
        } else {
            None
        }
    }
}

fn encodes(line: &[u8]) -> bool {
    line.split(|&b| b == b',')
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

// === impl Doubt ===

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doubt::Repeated => "it has more than one content type",
            Doubt::Malformed => "its content type is malformed",
        })
    }
}

impl std::error::Error for Doubt {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fake;

    #[test]
    fn a_content_type_is_read_or_it_is_none() {
        for (text, essence, charset) in [
            ("application/json", "application/json", None),
            (" Application/JSON\t", "application/json", None),
            ("a/b;charset=x", "a/b", Some("x")),
            (
                "a/b \t; \tCharset=\"U\\tf; \\\"8\"",
                "a/b",
                Some("Utf; \"8"),
            ),
            ("a/b; x=y; charset=\"\"", "a/b", Some("")),
            (
                "multipart/form-data; boundary=--a'b",
                "multipart/form-data",
                None,
            ),
        ] {
            let read = MediaType::parse(text);
            let read = read.as_ref().map(|m| (m.essence(), m.parameter("charset")));
            assert_eq!(read, Ok((essence, charset)), "{text:?}");
        }
        for text in [
            "",
            " ",
            "json",
            "/json",
            "a/",
            "a/b/c",
            "a /b",
            "a/b;",
            "a/b; ",
            "a/b;;x=y",
            "a/b x=y",
            "a/b; x",
            "a/b; x=",
            "a/b; x =y",
            "a/b; x= y",
            "a/b; x=\"y",
            "a/b; x=\"y\"z",
            "a/b; x=y z",
            "a/b; x=1; X=2",
            "a/b, c/d",
            "a/b,c/d",
            "a/b; x=y, c/d",
            "a/b; x=\"y\", c/d",
            "a/b; x=\u{e4}",
            "a/b\u{b}",
        ] {
            assert_eq!(MediaType::parse(text), Err(Doubt::Malformed), "{text:?}");
        }
    }

    #[test]
    fn json_has_many_names() {
        for (text, is, passes) in [
            ("application/json", true, true),
            ("text/json", true, true),
            ("application/problem+json", true, true),
            ("text/x-json", true, true),
            ("application/x-json", true, true),
            ("image/json", true, true),
            ("application/jsonrequest", false, true),
            ("application/geo+json-seq", false, true),
            ("text/javascript", false, true),
            ("text/plain", false, false),
            ("application/x-ndjson", false, false),
        ] {
            let read = MediaType::parse(text).map(|m| (m.is_json(), m.passes_for_json()));
            assert_eq!(read, Ok((is, passes)), "{text}");
        }
        for (text, utf8) in [
            ("a/b", true),
            ("a/b; Charset=\"UTF-8\"", true),
            ("a/b; charset=utf-16", false),
            ("a/b; charset=\"\"", false),
        ] {
            let read = MediaType::parse(text).map(|m| m.is_utf8());
            assert_eq!(read, Ok(utf8), "{text}");
        }
    }

    #[test]
    fn every_line_counts() {
        type Lines = &'static [(&'static str, &'static str)];
        type Read = Result<(bool, bool), Doubt>;
        let cases: [(Lines, Read); 9] = [
            (&[], Ok((false, false))),
            (
                &[("content-type", "a/b"), ("Content-Type", "a/b")],
                Err(Doubt::Repeated),
            ),
            (&[("content-type", "")], Err(Doubt::Malformed)),
            (
                &[("content-encoding", "identity, Identity")],
                Ok((false, false)),
            ),
            (&[("content-encoding", "")], Ok((false, false))),
            (&[("content-encoding", "identity, gzip")], Ok((true, false))),
            (
                &[("content-encoding", "identity"), ("content-encoding", "br")],
                Ok((true, false)),
            ),
            (&[("content-encoding", "x")], Ok((true, false))),
            (&[("content-range", "bytes 0-1/2")], Ok((false, true))),
        ];
        for (lines, wanted) in cases {
            let fake = lines
                .iter()
                .fold(Fake::request("PUT", "/"), |fake, (name, value)| {
                    fake.with_header(name, value)
                });
            let read = fake.exchange().request().content();
            assert_eq!(read.map(|c| (c.encoded, c.partial)), wanted, "{lines:?}");
        }
        for (status, media_type, partial) in [
            (200, "a/b", false),
            (206, "a/b", true),
            (226, "a/b", true),
            (200, "multipart/byteranges; boundary=x", true),
        ] {
            let fake = Fake::request("GET", "/").with_response(
                status,
                &[("content-type", media_type)],
                "",
            );
            let read = fake.exchange_back().response().content();
            assert_eq!(
                read.map(|c| c.partial),
                Ok(partial),
                "{status} {media_type}"
            );
        }
    }
}
