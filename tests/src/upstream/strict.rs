//! HTTP/1.1 requests, parsed as strictly as RFC 9112 allows. What this refuses, a gateway must never forward:
//! it shares no code with the gateway's own parser, so that both are not wrong together.

/// One request, complete with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// In order, names as written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request and how many bytes it took.
    Complete(Box<Request>, usize),
    /// Nothing wrong so far.
    Partial,
    /// Never a request, whatever follows.
    Wrong(String),
}

/// Why parsing stopped.
enum Stop {
    Partial,
    Wrong(String),
}

enum Framing {
    Length(usize),
    Chunked,
}

// === impl Request ===

impl Request {
    /// The values of a header, one per line.
    pub fn all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The value of a header that came once at most.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.all(name).as_slice() {
            [] => None,
            [value] => Some(value),
            _ => panic!("{name} came more than once: {self:?}"),
        }
    }
}

/// Parses the request at the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed {
    match request(bytes) {
        Ok((request, used)) => Parsed::Complete(Box::new(request), used),
        Err(Stop::Partial) => Parsed::Partial,
        Err(Stop::Wrong(why)) => Parsed::Wrong(why),
    }
}

fn request(bytes: &[u8]) -> Result<(Request, usize), Stop> {
    let (line, mut at) = line(bytes, 0)?;
    let (method, target) = request_line(&line)?;
    let mut headers = Vec::new();
    loop {
        let (text, next) = self::line(bytes, at)?;
        at = next;
        if text.is_empty() {
            break;
        }
        headers.push(field(&text)?);
    }
    hosts(&headers)?;
    let (body, at) = match framing(&headers)? {
        Framing::Length(length) => {
            let end = at
                .checked_add(length)
                .ok_or_else(|| wrong("content-length overflows"))?;
            (bytes.get(at..end).ok_or(Stop::Partial)?.to_vec(), end)
        }
        Framing::Chunked => chunks(bytes, at)?,
    };
    Ok((
        Request {
            method,
            target,
            headers,
            body,
        },
        at,
    ))
}

/// The line at `at` without its CRLF, and where the next begins. Bytes become chars one to one.
fn line(bytes: &[u8], at: usize) -> Result<(String, usize), Stop> {
    let rest = &bytes[at..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'\r' | b'\n' | 0))
        .ok_or(Stop::Partial)?;
    match (rest[end], rest.get(end + 1)) {
        (b'\r', Some(b'\n')) => Ok((
            rest[..end].iter().map(|byte| char::from(*byte)).collect(),
            at + end + 2,
        )),
        (b'\r', None) => Err(Stop::Partial),
        _ => Err(wrong("a bare CR, LF or NUL")),
    }
}

fn request_line(line: &str) -> Result<(String, String), Stop> {
    let parts: Vec<_> = line.split(' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return Err(wrong(format!("request line {line:?}")));
    };
    if !is_token(method) {
        return Err(wrong(format!("method {method:?}")));
    }
    let visible = target
        .bytes()
        .all(|byte| matches!(byte, 0x21..=0x7e) && byte != b'#');
    // A gateway speaks to a server, not to a proxy: origin-form, or the asterisk of OPTIONS.
    if !visible || !(target.starts_with('/') || (target == "*" && method == "OPTIONS")) {
        return Err(wrong(format!("target {target:?}")));
    }
    if version != "HTTP/1.1" {
        return Err(wrong(format!("version {version:?}")));
    }
    Ok((method.to_owned(), target.to_owned()))
}

fn field(line: &str) -> Result<(String, String), Stop> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| wrong(format!("header line {line:?}")))?;
    if !is_token(name) {
        return Err(wrong(format!("header name {name:?}")));
    }
    if value.chars().any(|c| (c < ' ' && c != '\t') || c == '\x7f') {
        return Err(wrong(format!("header value {value:?}")));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn hosts(headers: &[(String, String)]) -> Result<(), Stop> {
    match values(headers, "host").as_slice() {
        [host]
            if host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b)) =>
        {
            Ok(())
        }
        hosts => Err(wrong(format!("host {hosts:?}"))),
    }
}

fn framing(headers: &[(String, String)]) -> Result<Framing, Stop> {
    let (lengths, codings) = (
        values(headers, "content-length"),
        values(headers, "transfer-encoding"),
    );
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            if length.len() > 1 && length.starts_with('0') {
                return Err(wrong(format!("content-length {length:?} is not canonical")));
            }
            length
                .parse()
                .map(Framing::Length)
                .map_err(|_| wrong("content-length overflows"))
        }
        _ => Err(wrong(format!(
            "content-length {lengths:?} with transfer-encoding {codings:?}"
        ))),
    }
}

fn chunks(bytes: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), Stop> {
    let mut body = Vec::new();
    loop {
        // Extensions and trailers end at the gateway, so neither may arrive here.
        let (size, start) = line(bytes, at)?;
        if size.is_empty() || size.len() > 15 || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong(format!("chunk size {size:?}")));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|_| wrong("chunk size"))?;
        let data = bytes.get(start..start + size).ok_or(Stop::Partial)?;
        body.extend_from_slice(data);
        let (rest, next) = line(bytes, start + size)?;
        if !rest.is_empty() {
            return Err(wrong(format!("{rest:?} after a chunk")));
        }
        at = next;
        if size == 0 {
            return Ok((body, at));
        }
    }
}

fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
        .collect()
}

fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

fn wrong(why: impl Into<String>) -> Stop {
    Stop::Wrong(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_requests_are_complete() {
        let complete = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x?y HTTP/1.1\r\nhost: a:80\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ];
        for text in complete {
            let parsed = parse(text.as_bytes());
            assert!(
                matches!(&parsed, Parsed::Complete(_, used) if *used == text.len()),
                "{text:?}: {parsed:?}"
            );
            for cut in 0..text.len() {
                assert_eq!(
                    parse(&text.as_bytes()[..cut]),
                    Parsed::Partial,
                    "{:?}",
                    &text[..cut]
                );
            }
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_wrong() {
        let wrong = [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 03\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        ];
        for text in wrong {
            assert!(
                matches!(parse(text.as_bytes()), Parsed::Wrong(_)),
                "{text:?}"
            );
        }
    }
}
