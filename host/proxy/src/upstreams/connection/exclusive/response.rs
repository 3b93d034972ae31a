//! A response as it is read: the head once it is whole, then the body as it comes.
//!
//! Strict where two readers could differ (RFC 9112 sections 6 and 11.2): what this gateway passes on ends where the
//! server meant it to end, or the connection is given up.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use memchr::memchr_iter;
use portcullis_syntax::headers::is_hop_by_hop;

use super::chunks::Chunks;
use crate::upstreams::response_head;

/// How the rest of a response is framed.
#[derive(Debug)]
pub(super) enum Payload {
    Ended,
    /// Bytes to come.
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// Why what came is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the head of the response is not valid: {0}")]
    Head(httparse::Error),
    #[error("the head of the response is too long")]
    Long,
    #[error("the response has a header that is not valid")]
    Field,
    #[error("the response has a Content-Length that is not valid, or two that differ")]
    Length,
    #[error("the response has a Transfer-Encoding other than chunked")]
    Coding,
    #[error("the response has both Transfer-Encoding and Content-Length")]
    Both,
    #[error("the response has a chunk that is not valid")]
    Chunk,
    #[error("the response has trailers that are not valid, or too long")]
    Trailers,
}

/// Fields of one head.
const MAX_FIELDS: usize = 128;

/// Where a head ends: behind the first empty line. `looked`: bytes that were looked at before.
pub(super) fn end_of_head(bytes: &[u8], looked: usize) -> Option<usize> {
    let from = looked.saturating_sub(3);
    memchr_iter(b'\n', &bytes[from..]).find_map(|at| match &bytes[from + at + 1..] {
        [b'\n', ..] => Some(from + at + 2),
        [b'\r', b'\n', ..] => Some(from + at + 3),
        _ => None,
    })
}

/// A head, the payload that follows it, and whether the connection may serve another request. What belongs to the
/// connection is not in the head, unless it switches protocols.
type Begun = (Response<()>, Payload, bool);

/// Takes the head out of `input`. None: it is not whole.
pub(super) fn parse(
    input: &mut BytesMut,
    method: &Method,
    last: &mut LastHead,
) -> Result<Option<Begun>, Broken> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut head, input, &mut room)
        .map_err(Broken::Head)?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Broken::Head(httparse::Error::Status))?;
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let old = head.version == Some(0);
    last.remember(head.headers, input)?;
    let bytes = input.split_to(end).freeze();
    let mut said = Said::default();
    // With room for Via.
    let mut headers = HeaderMap::with_capacity(last.values.len() + 1);
    for ((_, name), value) in last.names.iter().zip(&last.values) {
        let value = HeaderValue::from_maybe_shared(bytes.slice(value.clone()));
        let (name, value) = (name.clone(), value.map_err(|_| Broken::Field)?);
        if said.is_for_the_client(&name, &value)? || switches {
            headers.append(name, value);
        }
    }
    if said.more_options && !switches {
        response_head::strip(&mut headers);
    }
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if old {
        *response.version_mut() = Version::HTTP_10;
    }
    let payload = said.payload(status, method, old)?;
    // RFC 9112 section 9.3.
    let persists = !said.close && (!old || said.keep_alive);
    let persists = persists && !matches!(payload, Payload::UntilClose);
    Ok(Some((response, payload, persists)))
}

/// The names of the last head of a connection, which are mostly those of its next one and then need not be read; and
/// where in that head their values stand.
#[derive(Debug, Default)]
pub(super) struct LastHead {
    /// As they were written, and as they were read.
    names: Vec<(Box<str>, HeaderName)>,
    values: Vec<Range<usize>>,
}

impl LastHead {
    fn remember(&mut self, fields: &[httparse::Header<'_>], head: &[u8]) -> Result<(), Broken> {
        self.values.clear();
        self.names.truncate(fields.len());
        for (at, field) in fields.iter().enumerate() {
            let begin = field.value.as_ptr() as usize - head.as_ptr() as usize;
            self.values.push(begin..begin + field.value.len());
            let known = self.names.get(at);
            if known.is_some_and(|(written, _)| **written == *field.name) {
                continue;
            }
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Broken::Field)?;
            let read = (field.name.into(), name);
            match self.names.get_mut(at) {
                Some(known) => *known = read,
                None => self.names.push(read),
            }
        }
        Ok(())
    }
}

/// What a head says of the connection and of what follows.
#[derive(Debug, Default)]
struct Said {
    close: bool,
    keep_alive: bool,
    /// `Connection` says more than one of these.
    more_options: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Said {
    /// Takes in a field; whether it goes on to the client.
    fn is_for_the_client(
        &mut self,
        name: &HeaderName,
        value: &HeaderValue,
    ) -> Result<bool, Broken> {
        if *name == CONNECTION {
            return Ok(self.connection(value.as_bytes()));
        }
        if *name == TRANSFER_ENCODING {
            // A coding that is not taken off would reach the client under a name that is.
            let chunked = value
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked");
            if !chunked || self.chunked {
                return Err(Broken::Coding);
            }
            self.chunked = true;
            return Ok(false);
        }
        if *name == CONTENT_LENGTH {
            let first = self.length.is_none();
            self.length(value.as_bytes())?;
            return Ok(first);
        }
        Ok(*name == TRAILER || !is_hop_by_hop(name.as_str()))
    }

    /// Whether it has to be looked at once more, for the fields that it names.
    fn connection(&mut self, value: &[u8]) -> bool {
        let mut more = false;
        for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else {
                more |= !option.is_empty();
            }
        }
        self.more_options |= more;
        more
    }

    /// Several lines, or elements, have to say the same (RFC 9110 section 8.6).
    fn length(&mut self, value: &[u8]) -> Result<(), Broken> {
        for element in value.split(|b| *b == b',') {
            let said = digits(element.trim_ascii()).ok_or(Broken::Length)?;
            if *self.length.get_or_insert(said) != said {
                return Err(Broken::Length);
            }
        }
        Ok(())
    }

    /// RFC 9112 section 6.3. `old`: HTTP/1.0, which has no chunks.
    fn payload(&self, status: StatusCode, method: &Method, old: bool) -> Result<Payload, Broken> {
        match (self.chunked, self.length) {
            (true, _) if old => return Err(Broken::Coding),
            (true, Some(_)) => return Err(Broken::Both),
            _ => {}
        }
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        Ok(match self.length {
            _ if method == Method::HEAD || bodiless || status.is_informational() => Payload::Ended,
            _ if self.chunked => Payload::Chunked(Chunks::default()),
            Some(0) => Payload::Ended,
            Some(length) => Payload::Length(length),
            None => Payload::UntilClose,
        })
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

// === impl Payload ===

impl Payload {
    pub(super) fn has_ended(&self) -> bool {
        matches!(self, Payload::Ended)
    }

    /// The next part of what has come. None: more has to come, or it has ended.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Broken> {
        let frame = match self {
            Payload::Ended => None,
            Payload::UntilClose => data(input, u64::MAX),
            Payload::Length(left) => {
                let data = data(input, *left);
                *left -= data.as_ref().map_or(0, |data| data.len() as u64);
                if *left == 0 {
                    *self = Payload::Ended;
                }
                data
            }
            Payload::Chunked(chunks) => {
                let frame = chunks.take(input)?;
                if chunks.have_ended() {
                    *self = Payload::Ended;
                }
                return Ok(frame);
            }
        };
        Ok(frame.map(Frame::data))
    }

    /// All of it, where it has come.
    pub(super) fn whole(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        let whole = match *self {
            Payload::Ended => Some(Bytes::new()),
            Payload::Length(left) if input.len() as u64 >= left => data(input, left),
            _ => return None,
        };
        *self = Payload::Ended;
        whole
    }

    /// The server closed the connection: whether that is the end of the payload.
    pub(super) fn close(&mut self) -> bool {
        let whole = matches!(self, Payload::UntilClose | Payload::Ended);
        if whole {
            *self = Payload::Ended;
        }
        whole
    }

    /// Bytes that one read may bring: `large` where so much is known to come.
    pub(super) fn room(&self, small: usize, large: usize) -> usize {
        let left = match self {
            Payload::Ended => 0,
            Payload::Length(left) => *left,
            Payload::Chunked(chunks) => chunks.left(),
            Payload::UntilClose => large as u64,
        };
        usize::try_from(left).unwrap_or(large).clamp(small, large)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Ended => SizeHint::with_exact(0),
            Payload::Length(left) => SizeHint::with_exact(*left),
            Payload::Chunked(_) | Payload::UntilClose => SizeHint::default(),
        }
    }
}

/// What has come, at most `most` bytes; None where that is nothing.
pub(super) fn data(input: &mut BytesMut, most: u64) -> Option<Bytes> {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    (length > 0).then(|| input.split_to(length).freeze())
}

#[cfg(test)]
mod tests;
