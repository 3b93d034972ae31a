//! initData as text to its fields. Knows nothing of keys and clocks.
//!
//! The signed message joins `key=value` lines, and the encoding of initData can say the same lines in more than
//! one way. Whatever could be read two ways is refused here, before any signature is looked at.

use crate::Problem;

/// Longer than any initData that Telegram makes (a few KiB at most).
const MAX_LENGTH: usize = 16 * 1024;

/// The decoded fields, sorted by key, no key twice.
#[derive(Debug)]
pub struct Fields {
    sorted: Vec<(String, String)>,
}

impl Fields {
    /// Parses initData: `key=value` pairs joined by `&`, form-encoded once.
    pub fn parse(init_data: &str) -> Result<Fields, Problem> {
        if init_data.len() > MAX_LENGTH {
            return Err(Problem::Format("it is too long"));
        }
        let mut sorted = init_data
            .split('&')
            .map(pair)
            .collect::<Result<Vec<_>, _>>()?;
        sorted.sort_unstable();
        // Readers disagree on which of two counts: the one that verifies may not be the one that is used.
        if sorted.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Problem::Duplicate);
        }
        Ok(Fields { sorted })
    }

    /// The value of a key; keys are case-sensitive.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self
            .sorted
            .binary_search_by(|(k, _)| k.as_str().cmp(key))
            .ok()?;
        Some(&self.sorted[at].1)
    }

    /// The pieces of the signed message: `key=value` lines in order, joined by LF, without the given keys.
    pub fn signed<'a>(&'a self, without: &'a [&str]) -> impl Iterator<Item = &'a [u8]> {
        let kept = self
            .sorted
            .iter()
            .filter(|(key, _)| !without.contains(&key.as_str()));
        kept.enumerate().flat_map(|(i, (key, value))| {
            let joint: &[u8] = if i == 0 { b"" } else { b"\n" };
            [joint, key.as_bytes(), b"=", value.as_bytes()]
        })
    }
}

fn pair(pair: &str) -> Result<(String, String), Problem> {
    let (key, value) = pair
        .split_once('=')
        .ok_or(Problem::Format("a pair has no `=`"))?;
    let (key, value) = (decode(key)?, decode(value)?);
    // `a%3Db=c` would sign as the line of `a=b%3Dc`: a field could be folded away under another name.
    if key.is_empty() || key.contains('=') {
        return Err(Problem::Format("a key is empty or holds `=`"));
    }
    Ok((key, value))
}

/// Decodes once. A line break would fold two fields into one with the same signed message.
fn decode(text: &str) -> Result<String, Problem> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(), digit());
                let code = high.zip(low).map(|(high, low)| high << 4 | low);
                code.and_then(|code| u8::try_from(code).ok())
                    .ok_or(Problem::Format("a `%` is no escape"))?
            }
            other => other,
        };
        if matches!(byte, b'\n' | b'\r' | 0) {
            return Err(Problem::Newline);
        }
        out.push(byte);
    }
    String::from_utf8(out).map_err(|_| Problem::Format("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(init_data: &str) -> String {
        let fields = Fields::parse(init_data).expect("the test's initData is well-formed");
        String::from_utf8(fields.signed(&["hash"]).flatten().copied().collect())
            .expect("fields are UTF-8")
    }

    #[test]
    fn lines_are_sorted_and_decoded_once() {
        assert_eq!(message("b=2%2B+%252B&hash=x&a=1"), "a=1\nb=2+ %2B");
        assert_eq!(message("a=1=2"), "a=1=2");
        assert_eq!(message("hash=x"), "");
    }

    #[test]
    fn what_reads_two_ways_is_refused() {
        let code = |text: &str| Fields::parse(text).map(|_| ()).map_err(Problem::code);
        for text in [
            "", "a", "a=1&", "&a=1", "a=1&&b=2", "=1", "a%3Db=c", "a=%", "a=%4", "a=%zz", "a=%ff",
        ] {
            assert_eq!(code(text), Err("format"), "{text:?}");
        }
        for text in ["a=1%0Ab=2", "a=%0d", "a%00=1", "a=1\nb=2"] {
            assert_eq!(code(text), Err("newline"), "{text:?}");
        }
        for text in ["a=1&a=1", "a=1&b=2&%61=3"] {
            assert_eq!(code(text), Err("duplicate"), "{text:?}");
        }
    }

    #[test]
    fn init_data_has_16_kib() {
        for (length, want) in [
            (16_383, Ok(())),
            (16_384, Ok(())),
            (16_385, Err("it is too long")),
        ] {
            let text = format!("a={}", "1".repeat(length - 2));
            assert_eq!(text.len(), length);
            let got = Fields::parse(&text).map(|_| ());
            assert_eq!(got, want.map_err(Problem::Format), "{length} bytes");
        }
    }

    #[test]
    fn keys_are_found_as_they_are_written() {
        let fields = Fields::parse("user=1&auth_date=2&a=3").expect("well-formed");
        assert_eq!(
            (fields.get("user"), fields.get("User"), fields.get("a")),
            (Some("1"), None, Some("3"))
        );
    }
}
