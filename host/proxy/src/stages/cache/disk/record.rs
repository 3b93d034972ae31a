//! A stored response as a file.
//!
//! ```text
//! magic 8 · length of the head 4 · of the body 8 · SHA-256 of the body 32 · SHA-256 of all this and the head 32 · head · body
//! ```
//!
//! The head alone says what the file is about and is checked alone, so that a start need not read bodies. No byte can
//! change without failing a sum. The sums are against a failing disk, not against people: those the folder keeps out.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

use super::index::Slot;
use crate::stages::cache::key::{Key, Place, Vary};
use crate::stages::cache::life::{Life, SavedLife};
use crate::stages::cache::metrics::RouteCounters;
use crate::stages::cache::stored::{Head, Stored};

const MAGIC: [u8; 8] = *b"pcresp01";
const FRONT: usize = 84;
/// Of a head: no request or response has that many header bytes.
const LARGEST_HEAD: usize = 4 << 20;

/// What a file is about.
pub(super) struct Label {
    head: Vec<u8>,
    body: u64,
    body_sum: [u8; 32],
}

/// Why a file is not used.
#[derive(Debug)]
pub(super) enum Flaw {
    /// A sum does not fit, or what it protects is not what we write.
    Corrupt,
    Io(io::Error),
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    key: &'a [u8],
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    vary: Vec<&'a str>,
    vary_values: &'a [u8],
    host: &'a str,
    target: &'a str,
    tags: Vec<&'a str>,
    epoch: u64,
    life: SavedLife,
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Flaw {
        match error.kind() {
            // Shorter than it says.
            ErrorKind::UnexpectedEof => Flaw::Corrupt,
            _ => Flaw::Io(error),
        }
    }
}

/// The file of a response up to its body.
pub(super) fn front(key: &Key, stored: &Stored) -> Option<Vec<u8>> {
    let head = postcard::to_allocvec(&Written::of(key, &stored.head)).ok()?;
    if head.len() > LARGEST_HEAD {
        return None;
    }
    let mut front = Vec::with_capacity(FRONT + head.len());
    front.extend_from_slice(&MAGIC);
    front.extend_from_slice(&u32::try_from(head.len()).ok()?.to_le_bytes());
    front.extend_from_slice(&(stored.body.len() as u64).to_le_bytes());
    front.extend_from_slice(&Sha256::digest(&stored.body));
    let sum = Sha256::new().chain_update(&front).chain_update(&head);
    front.extend_from_slice(&sum.finalize());
    front.extend_from_slice(&head);
    Some(front)
}

impl Label {
    pub(super) fn read(file: &mut File) -> Result<Label, Flaw> {
        let mut front = [0; FRONT];
        file.read_exact(&mut front)?;
        let (magic, rest) = front.split_at(8);
        let (lengths, sums) = rest.split_at(12);
        let (body_sum, sum) = sums.split_at(32);
        let length = u32::from_le_bytes(lengths[..4].try_into().expect("four bytes"));
        let length = usize::try_from(length).map_err(|_| Flaw::Corrupt)?;
        if magic != MAGIC || length > LARGEST_HEAD {
            return Err(Flaw::Corrupt);
        }
        let mut head = vec![0; length];
        file.read_exact(&mut head)?;
        let own = Sha256::new().chain_update(&front[..FRONT - 32]);
        if own.chain_update(&head).finalize()[..] != *sum {
            return Err(Flaw::Corrupt);
        }
        let label = Label {
            head,
            body: u64::from_le_bytes(lengths[4..].try_into().expect("eight bytes")),
            body_sum: body_sum.try_into().expect("32 bytes"),
        };
        if file.metadata()?.len() == label.length() {
            Ok(label)
        } else {
            Err(Flaw::Corrupt)
        }
    }

    /// Of the whole file.
    fn length(&self) -> u64 {
        (FRONT + self.head.len()) as u64 + self.body
    }

    fn written(&self) -> Result<Written<'_>, Flaw> {
        postcard::from_bytes(&self.head).map_err(|_| Flaw::Corrupt)
    }

    /// Its key, and its place in the index.
    pub(super) fn slot(&self, number: u64) -> Result<(Key, Slot), Flaw> {
        let written = self.written()?;
        let slot = Slot {
            number,
            bytes: self.length(),
            vary: written.vary()?,
            place: written.place(),
            tags: written.tags(),
            epoch: written.epoch,
        };
        Ok((Key::saved(written.key), slot))
    }

    /// The response under `key`, once the file is read to its end.
    pub(super) fn stored(
        &self,
        mut file: File,
        key: &Key,
        counters: RouteCounters,
    ) -> Result<Stored, Flaw> {
        let written = self.written()?;
        // Two keys of one hash.
        if written.key != key.bytes() {
            return Err(Flaw::Corrupt);
        }
        // As long as the file, which is no longer than what we wrote.
        let mut body = vec![0; usize::try_from(self.body).map_err(|_| Flaw::Corrupt)?];
        file.read_exact(&mut body)?;
        if Sha256::digest(&body)[..] != self.body_sum {
            return Err(Flaw::Corrupt);
        }
        Ok(Stored {
            head: Arc::new(written.head(counters)?),
            body: Bytes::from(body),
        })
    }
}

impl<'a> Written<'a> {
    fn of(key: &'a Key, head: &'a Head) -> Written<'a> {
        let line =
            |(name, value): (&'a HeaderName, &'a HeaderValue)| (name.as_str(), value.as_bytes());
        Written {
            key: key.bytes(),
            status: head.status.as_u16(),
            headers: head.headers.iter().map(line).collect(),
            vary: head.vary.saved().0.collect(),
            vary_values: head.vary.saved().1,
            host: &head.place.host,
            target: &head.place.target,
            tags: head.tags.iter().map(|tag| &**tag).collect(),
            epoch: head.epoch,
            life: head.life.saved(),
        }
    }

    fn vary(&self) -> Result<Vary, Flaw> {
        Vary::restored(&self.vary, self.vary_values).ok_or(Flaw::Corrupt)
    }

    fn place(&self) -> Place {
        Place {
            host: self.host.into(),
            target: self.target.into(),
        }
    }

    fn tags(&self) -> Box<[Box<str>]> {
        self.tags.iter().map(|tag| Box::from(*tag)).collect()
    }

    fn head(&self, counters: RouteCounters) -> Result<Head, Flaw> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_bytes(value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Flaw::Corrupt);
            };
            headers.try_append(name, value).map_err(|_| Flaw::Corrupt)?;
        }
        Ok(Head {
            status: StatusCode::from_u16(self.status).map_err(|_| Flaw::Corrupt)?,
            headers,
            vary: self.vary()?,
            life: Life::restored(&self.life),
            place: Arc::new(self.place()),
            tags: self.tags(),
            epoch: self.epoch,
            counters,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write as _};

    use http::Method;
    use portcullis_config::plan::Audience;
    use portcullis_exchange::Exchange;

    use super::*;
    use crate::ground::registry::Book;
    use crate::stages::cache::conditions::Conditions;
    use crate::stages::cache::control::Says;
    use crate::stages::cache::disk::index;
    use crate::stages::cache::life::Times;
    use crate::stages::cache::metrics::CacheMetrics;
    use crate::stages::forwarded::Provenance;

    fn counters() -> RouteCounters {
        let metrics = CacheMetrics::enter(&mut Book::default());
        metrics.expect("the book is empty").route("r")
    }

    fn response() -> (Key, Stored) {
        let lines = [
            ("cache-control", "max-age=600"),
            ("x-double", "1"),
            ("x-double", "2"),
        ];
        let headers: HeaderMap = lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            });
        let rules = portcullis_config::plan::RouteCache {
            ttl: None,
            negative_ttl: None,
            stale_while_revalidate: std::time::Duration::ZERO,
            stale_if_error: std::time::Duration::ZERO,
            audience: Audience::Everyone,
            client_directives: true,
            status: true,
            hide_tags: false,
        };
        let (says, times) = (Says::of(&headers), Times::since(std::time::Instant::now()));
        let head = Head {
            status: StatusCode::OK,
            life: Life::of((StatusCode::OK, &headers), &says, &rules, times, false),
            vary: Vary::restored(&["accept"], b"json").expect("a name"),
            place: Arc::new(Place {
                host: "a.test".into(),
                target: "/x?y".into(),
            }),
            tags: ["tag".into()].into(),
            epoch: 7,
            counters: counters(),
            headers,
        };
        let stored = Stored {
            head: Arc::new(head),
            body: Bytes::from_static(b"a body"),
        };
        let key = Key::of(
            &Exchange::default(),
            "u",
            Audience::Everyone,
            &Provenance::default(),
        );
        (key, stored)
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("it is ours");
        file.rewind().expect("it is a file");
        file
    }

    fn read(bytes: &[u8], key: &Key) -> Result<Stored, Flaw> {
        let mut file = file(bytes);
        let label = Label::read(&mut file)?;
        label.slot(1)?;
        label.stored(file, key, counters())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (key, stored) = response();
        let bytes = [&front(&key, &stored).expect("it is small"), &*stored.body].concat();
        let again = read(&bytes, &key).expect("nothing was changed");
        let method = Method::GET;
        let asked = HeaderMap::new();
        let [before, after] =
            [&stored, &again].map(|stored| stored.answer(&method, &Conditions::of(&asked)));
        assert_eq!(before.headers(), after.headers());
        assert_eq!((again.head.epoch, &again.body), (7, &stored.body));
        assert_eq!(again.head.vary, stored.head.vary);
        assert_eq!(again.head.tags, stored.head.tags);
        assert_eq!(again.head.place, stored.head.place);
        let slot = index::Slot::of(1, bytes.len() - stored.body.len(), &stored);
        let label = Label::read(&mut file(&bytes)).expect("nothing was changed");
        let (known, found) = label.slot(1).expect("nothing was changed");
        assert_eq!((known, found.bytes), (key, slot.bytes));
    }

    #[test]
    fn no_byte_changes_unnoticed() {
        let (key, stored) = response();
        let bytes = [&front(&key, &stored).expect("it is small"), &*stored.body].concat();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let flaw = read(&changed, &key).expect_err("a byte is another");
            assert!(matches!(flaw, Flaw::Corrupt), "byte {at}: {flaw:?}");
        }
        for length in 0..bytes.len() {
            let flaw = read(&bytes[..length], &key).expect_err("bytes are missing");
            assert!(matches!(flaw, Flaw::Corrupt), "{length} bytes: {flaw:?}");
        }
        let more = [&bytes[..], b"x"].concat();
        assert!(read(&more, &key).is_err(), "a byte too many");
    }

    #[test]
    fn a_file_of_another_key_is_none_of_this_one() {
        let (key, stored) = response();
        let bytes = [&front(&key, &stored).expect("it is small"), &*stored.body].concat();
        let other = Key::saved(b"another");
        assert!(matches!(read(&bytes, &other), Err(Flaw::Corrupt)));
    }
}
