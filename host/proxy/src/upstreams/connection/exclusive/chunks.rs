//! The chunked transfer coding (RFC 9112 section 7.1), taken off.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use http_body::Frame;
use memchr::memchr;

use super::response::{Broken, data, end_of_head};

/// Where in the chunks we are.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of extensions so far, which nobody reads.
    ignored: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    /// Bytes of the chunk to come.
    Data(u64),
    DataEnd,
    Trailers,
    Ended,
}

/// The longest line with the size of a chunk, and all extensions together.
const MAX_LINE: usize = 4 * 1024;
const MAX_IGNORED: usize = 16 * 1024;
const MAX_TRAILERS: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

impl Chunks {
    pub(super) fn have_ended(&self) -> bool {
        self.at == At::Ended
    }

    /// Bytes that are known to come.
    pub(super) fn left(&self) -> u64 {
        match self.at {
            At::Data(left) => left,
            _ => 0,
        }
    }

    /// The next part of what has come. None: more has to come, or it has ended.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Broken> {
        let taken = loop {
            self.at = match self.at {
                At::Ended => return Ok(None),
                At::Size => match self.size(input)? {
                    None => return Ok(None),
                    Some(0) => At::Trailers,
                    Some(size) => At::Data(size),
                },
                At::Data(left) => match data(input, left) {
                    None => return Ok(None),
                    Some(data) => {
                        let left = left - data.len() as u64;
                        self.at = if left == 0 {
                            At::DataEnd
                        } else {
                            At::Data(left)
                        };
                        break data;
                    }
                },
                At::DataEnd => match input.get(..2) {
                    None => return Ok(None),
                    Some(b"\r\n") => {
                        drop(input.split_to(2));
                        At::Size
                    }
                    Some(_) => return Err(Broken::Chunk),
                },
                At::Trailers => return self.trailers(input),
            };
        };
        // Often the end has come too: who knows it with the last bytes need not ask again.
        const END: &[u8] = b"\r\n0\r\n\r\n";
        if self.at == At::DataEnd && input.starts_with(END) {
            drop(input.split_to(END.len()));
            self.at = At::Ended;
        }
        Ok(Some(Frame::data(taken)))
    }

    /// The size of the next chunk. None: its line is not whole.
    fn size(&mut self, input: &mut BytesMut) -> Result<Option<u64>, Broken> {
        let Some(end) = memchr(b'\n', input) else {
            let long = input.len() > MAX_LINE;
            return if long { Err(Broken::Chunk) } else { Ok(None) };
        };
        let line = input.split_to(end + 1);
        let line = line.strip_suffix(b"\r\n").ok_or(Broken::Chunk)?;
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let (size, rest) = line.split_at(digits);
        let rest = rest.trim_ascii_start();
        self.ignored += rest.len();
        let bounded = line.len() <= MAX_LINE && self.ignored <= MAX_IGNORED;
        if !(1..=16).contains(&digits) || !bounded || !matches!(rest, [] | [b';', ..]) {
            return Err(Broken::Chunk);
        }
        let digit =
            |size: u64, b: &u8| size << 4 | u64::from((*b as char).to_digit(16).unwrap_or(0));
        Ok(Some(size.iter().fold(0, digit)))
    }

    fn trailers(&mut self, input: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Broken> {
        if input.starts_with(b"\r\n") {
            drop(input.split_to(2));
            self.at = At::Ended;
            return Ok(None);
        }
        let Some(end) = end_of_head(input, 0) else {
            let long = input.len() > MAX_TRAILERS;
            return if long {
                Err(Broken::Trailers)
            } else {
                Ok(None)
            };
        };
        let bytes = input.split_to(end).freeze();
        let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let parsed = httparse::parse_headers(&bytes, &mut room).map_err(|_| Broken::Trailers)?;
        let httparse::Status::Complete((_, fields)) = parsed else {
            return Err(Broken::Trailers);
        };
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value));
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Broken::Trailers);
            };
            trailers.append(name, value);
        }
        self.at = At::Ended;
        Ok(Some(Frame::trailers(trailers)))
    }
}
