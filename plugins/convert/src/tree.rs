//! What every format is read into and written from.

use std::borrow::Cow;
use std::io;

use crate::Limits;

/// A body. Text and numbers are borrowed from it wherever nothing had to be unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`, `None`, nil.
    Null,
    /// `true`, `True`.
    Bool(bool),
    /// In the grammar of JSON (RFC 8259 section 6), to the last digit as it came.
    Number(Cow<'a, str>),
    /// A string.
    Text(Cow<'a, str>),
    /// An array, list or tuple.
    List(Vec<Value<'a>>),
    /// An object or dict: no key twice, in the order it came.
    Map(Members<'a>),
}

/// The members of a map.
pub type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Why a body was not converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Whose limit or grammar.
    pub kind: Kind,
    /// Where in the tree, for a value that the target cannot hold: a JSON Pointer (RFC 6901).
    pub pointer: Option<String>,
    /// A sentence for the client.
    pub detail: String,
}

/// What kind of mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body is not what it says it is.
    Malformed,
    /// It is, but holds what the target cannot.
    Unfit,
    /// It is over a limit.
    TooLarge,
}

/// What may still be read.
#[derive(Debug)]
pub struct Budget {
    depth: u32,
    values: u32,
    limits: Limits,
}

/// What is written, capped.
#[derive(Debug)]
pub struct Out {
    bytes: Vec<u8>,
    cap: usize,
}

// === impl Mistake ===

impl Mistake {
    /// The body is not what it says it is.
    pub fn malformed(detail: impl Into<String>) -> Mistake {
        Mistake {
            kind: Kind::Malformed,
            pointer: None,
            detail: detail.into(),
        }
    }

    /// The reader met what no target can hold.
    pub fn unfit(detail: impl Into<String>) -> Mistake {
        Mistake {
            kind: Kind::Unfit,
            ..Mistake::malformed(detail)
        }
    }

    /// A writer met what it cannot hold; [`under`](Mistake::under) fills in the place on the way out.
    pub fn unwritable(detail: impl Into<String>) -> Mistake {
        Mistake {
            pointer: Some(String::new()),
            ..Mistake::unfit(detail)
        }
    }

    /// Over a limit.
    pub fn too_large(detail: impl Into<String>) -> Mistake {
        Mistake {
            kind: Kind::TooLarge,
            ..Mistake::malformed(detail)
        }
    }

    /// The same, one level further out.
    #[must_use]
    pub fn under(mut self, step: impl AsRef<str>) -> Mistake {
        if let Some(inner) = self.pointer.take() {
            let step = step.as_ref().replace('~', "~0").replace('/', "~1");
            self.pointer = Some(format!("/{step}{inner}"));
        }
        self
    }
}

/// Writing to memory fails for one reason.
impl From<io::Error> for Mistake {
    fn from(_: io::Error) -> Mistake {
        Mistake::too_large("the converted body would be too large")
    }
}

// === impl Budget ===

impl Budget {
    /// All of it.
    pub fn new(limits: Limits) -> Budget {
        Budget {
            depth: limits.depth,
            values: limits.values,
            limits,
        }
    }

    /// Pays for one value.
    pub fn value(&mut self) -> Result<(), Mistake> {
        self.values = self.values.checked_sub(1).ok_or_else(|| {
            let most = self.limits.values;
            Mistake::too_large(format!("the body holds more than {most} values"))
        })?;
        Ok(())
    }

    /// Goes one level down.
    pub fn enter(&mut self) -> Result<(), Mistake> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| {
            let most = self.limits.depth;
            Mistake::too_large(format!("the body is nested deeper than {most}"))
        })?;
        Ok(())
    }

    /// Comes back up.
    pub fn leave(&mut self) {
        self.depth += 1;
    }

    /// Whether nothing encloses what is read.
    pub fn outermost(&self) -> bool {
        self.depth == self.limits.depth
    }
}

// === impl Out ===

impl Out {
    /// Nothing yet, and never more than `cap` bytes.
    pub fn new(cap: usize) -> Out {
        Out {
            bytes: Vec::new(),
            cap,
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds text.
    pub fn push(&mut self, text: &str) -> io::Result<()> {
        io::Write::write_all(self, text.as_bytes())
    }
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.cap - self.bytes.len() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === maps and places ===

/// A map, unless a key is there twice: readers disagree on which one counts. Sorted and not hashed, so that no
/// choice of keys makes it slow.
pub fn map<'a>(members: Members<'a>) -> Result<Value<'a>, Mistake> {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Mistake::malformed(format!(
            "the key {} is there twice",
            shown(pair[0])
        ))),
        None => Ok(Value::Map(members)),
    }
}

/// A key or word in a sentence: quoted, bounded.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The body as text; a byte order mark is no part of it.
pub fn utf8(body: &[u8]) -> Result<&str, Mistake> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Mistake::malformed(format!("byte {} is not UTF-8", error.valid_up_to() + 1))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
