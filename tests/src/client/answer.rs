//! HTTP/1.1 responses as the client sees them.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// In order, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The head of an answer, and how its body ends.
#[derive(Debug)]
pub struct Head {
    pub answer: Answer,
    pub framing: Framing,
    /// Bytes of the head itself.
    pub used: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    /// Until the connection closes.
    Close,
}

// === impl Answer ===

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body of {self:?}"))
    }

    /// The last value of a header that the echo upstream saw, None if it saw none.
    pub fn saw(&self, name: &str) -> Option<String> {
        self.saw_all(name).pop()
    }

    /// The values of a header that the echo upstream saw.
    pub fn saw_all(&self, name: &str) -> Vec<String> {
        let seen = self.json();
        let lines = seen["headers"]
            .as_array()
            .unwrap_or_else(|| panic!("no answer of the echo upstream: {self:?}"));
        let named = lines.iter().filter(|line| line[0] == name);
        named
            .filter_map(|line| line[1].as_str().map(str::to_owned))
            .collect()
    }
}

/// Every complete answer in `bytes`, with what is left over.
pub fn answers(bytes: &[u8], closed: bool) -> (Vec<Answer>, usize) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((answer, used)) = parse(&bytes[at..], "GET", closed) {
        at += used;
        found.push(answer);
    }
    (found, bytes.len() - at)
}

/// The answer to `method` at the start of `bytes`, interim ones skipped; None while it is incomplete.
pub fn parse(bytes: &[u8], method: &str, closed: bool) -> Option<(Answer, usize)> {
    let Head {
        mut answer,
        framing,
        used,
    } = head(bytes, method)?;
    let rest = &bytes[used..];
    let (body, taken) = match framing {
        Framing::Length(length) => (rest.get(..length)?.to_vec(), length),
        Framing::Chunked => chunks(rest)?,
        Framing::Close if closed => (rest.to_vec(), rest.len()),
        Framing::Close => return None,
    };
    answer.body = body;
    Some((answer, used + taken))
}

/// The head of the final answer to `method` at the start of `bytes`.
pub fn head(bytes: &[u8], method: &str) -> Option<Head> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..end - 4]);
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
    let headers: Vec<_> = lines
        .map(|line| {
            line.split_once(':')
                .unwrap_or_else(|| panic!("not a header line: {line:?}"))
        })
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    if (100..200).contains(&status) && status != 101 {
        let last = head(&bytes[end..], method)?;
        return Some(Head {
            used: end + last.used,
            ..last
        });
    }
    let answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    let framing = framing(&answer, method);
    Some(Head {
        answer,
        framing,
        used: end,
    })
}

fn framing(answer: &Answer, method: &str) -> Framing {
    if method == "HEAD" || matches!(answer.status, 101 | 204 | 304) {
        return Framing::Length(0);
    }
    if answer.header("transfer-encoding").is_some() {
        return Framing::Chunked;
    }
    match answer.header("content-length").map(str::parse) {
        Some(length) => {
            Framing::Length(length.unwrap_or_else(|error| panic!("{error}: {answer:?}")))
        }
        None => Framing::Close,
    }
}

fn chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(bytes.get(at..)?, b"\r\n")?;
        let size = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
        let size = usize::from_str_radix(&size, 16)
            .unwrap_or_else(|error| panic!("chunk size {size:?}: {error}"));
        at += line + 2;
        if size == 0 {
            break;
        }
        body.extend_from_slice(bytes.get(at..at + size)?);
        at += size + 2;
    }
    // Trailers end with an empty line.
    loop {
        let line = find(bytes.get(at..)?, b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some((body, at));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
