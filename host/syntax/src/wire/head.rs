//! The lines of a request head (RFC 9112 sections 3 and 5).

use super::{Checked, FaultKind, MALFORMED};

/// How a body is framed (RFC 9112 section 6.3).
pub(super) enum Body {
    None,
    Sized(u64),
    Chunked,
}

#[derive(Default)]
pub(super) struct Fields {
    pub(super) http_1_0: bool,
    length: Option<u64>,
    chunked: bool,
    hosts: u8,
}

/// Catches early what no further byte can mend, so that a stranger's garbage does not wait for a time-out.
pub(super) fn check_line_so_far(line: &[u8], first: bool) -> Checked<()> {
    let bare_cr = memchr::memchr(b'\r', line).is_some_and(|i| i + 1 != line.len());
    let garbage = first
        && !line
            .first()
            .is_none_or(|b| is_token_byte(*b) || *b == b'\r');
    if bare_cr || garbage || memchr::memchr(0, line).is_some() {
        return Err((MALFORMED, "the request head is not valid"));
    }
    Ok(())
}

/// Checks `method SP target SP HTTP/1.x` (RFC 9112 section 3). True for HTTP/1.0.
pub(super) fn request_line(line: &[u8]) -> Checked<bool> {
    // Nearly every line is good: that is one look at each byte. The words for a bad one are found by a second.
    match good_request_line(line) {
        Some(http_1_0) => Ok(http_1_0),
        None => judge_request_line(line),
    }
}

pub(super) fn good_request_line(line: &[u8]) -> Option<bool> {
    let (words, http_1_0) = match line.split_last_chunk()? {
        (words, b" HTTP/1.1") => (words, false),
        (words, b" HTTP/1.0") => (words, true),
        _ => return None,
    };
    let space = words.iter().position(|b| !is_token_byte(*b))?;
    let (method, target) = (&words[..space], words[space..].strip_prefix(b" ")?);
    let good =
        !method.is_empty() && !target.is_empty() && target.iter().all(|b| is_target_byte(*b));
    good.then_some(http_1_0)
}

pub(super) fn judge_request_line(line: &[u8]) -> Checked<bool> {
    let mut parts = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err((MALFORMED, "the request line is not `method target version`"));
    };
    if method.is_empty() || !method.iter().all(|b| is_token_byte(*b)) {
        return Err((MALFORMED, "the method is not a token"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err((
            MALFORMED,
            "the request target has a character that must be percent-encoded",
        ));
    }
    if target.contains(&b'#') {
        return Err((MALFORMED, "the request target has a fragment"));
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err((MALFORMED, "the HTTP version is not 1.0 or 1.1")),
    }
}

impl Fields {
    /// Reads one field line (RFC 9112 section 5).
    pub(super) fn read(&mut self, line: &[u8]) -> Checked<()> {
        let bad = |detail| Err((MALFORMED, detail));
        let Some(colon) = memchr::memchr(b':', line) else {
            return bad("a header line has no colon");
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|b| is_token_byte(*b)) {
            return bad("a header name is not a token");
        }
        if has_control(value) {
            return bad("a header value has a control character");
        }
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length(value.trim_ascii())
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(value.trim_ascii())
            }
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return bad("the request has more than one Host");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Checked<()> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value)
            .ok()
            .filter(|_| digits)
            .and_then(|text| text.parse::<u64>().ok());
        match length {
            Some(_) if self.length.is_some() => {
                Err((MALFORMED, "the request has more than one Content-Length"))
            }
            // hyper keeps the top values for itself.
            Some(length) if length <= i64::MAX as u64 => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err((MALFORMED, "Content-Length is not a number of bytes")),
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Checked<()> {
        if self.chunked {
            return Err((MALFORMED, "the request has more than one Transfer-Encoding"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err((
                FaultKind::Encoding,
                "the only transfer encoding supported is `chunked`",
            ));
        }
        self.chunked = true;
        Ok(())
    }

    pub(super) fn body(&self) -> Checked<Body> {
        if !self.http_1_0 && self.hosts == 0 {
            return Err((MALFORMED, "the request has no Host"));
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err((
                MALFORMED,
                "the request has both Content-Length and Transfer-Encoding",
            )),
            (true, None) if self.http_1_0 => Err((MALFORMED, "HTTP/1.0 has no Transfer-Encoding")),
            (true, None) => Ok(Body::Chunked),
            (false, Some(length)) => Ok(Body::Sized(length)),
            (false, None) => Ok(Body::None),
        }
    }
}

/// RFC 9110 section 5.6.2.
pub fn is_token_byte(b: u8) -> bool {
    TOKEN[usize::from(b)]
}

/// Of a target: visible, and no fragment (RFC 9112 section 3.2).
fn is_target_byte(b: u8) -> bool {
    b.is_ascii_graphic() && b != b'#'
}

/// Looks at all bytes, whatever it finds: so the compiler takes many at a time.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, b| found | is_control(*b))
}

fn is_control(b: u8) -> bool {
    (b < b' ' && b != b'\t') || b == 0x7f
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 128 {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
};
