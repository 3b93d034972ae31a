//! initData as text to its fields. Knows nothing of keys and clocks.
//!
//! The signed message joins `key=value` lines, and the encoding of initData can say the same lines in more than
//! one way. Whatever could be read two ways is refused here, before any signature is looked at.

use crate::Problem;

/// Longer than any initData that Telegram makes (a few KiB at most).
const MAX_LENGTH: usize = 16 * 1024;

/// The decoded fields, no key twice.
#[derive(Debug)]
pub struct Fields {
    /// `key=value`, each with an LF behind it.
    text: String,
    /// In the order of their keys.
    sorted: Vec<Line>,
}

/// Where in the text a field is.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: usize,
    /// The `=` between key and value.
    middle: usize,
    end: usize,
}

/// Fields of usual initData.
const USUAL: usize = 8;

impl Fields {
    /// Parses initData: `key=value` pairs joined by `&`, form-encoded once.
    pub fn parse(init_data: &str) -> Result<Fields, Problem> {
        if init_data.len() > MAX_LENGTH {
            return Err(Problem::Format("it is too long"));
        }
        // Decoding makes nothing longer; the last line gets an LF in place of no `&`.
        let mut text = Vec::with_capacity(init_data.len() + 1);
        let mut sorted = Vec::with_capacity(USUAL);
        for pair in init_data.as_bytes().split(|byte| *byte == b'&') {
            sorted.push(line(pair, &mut text)?);
        }
        let text = String::from_utf8(text).map_err(|_| NOT_UTF_8)?;
        let fields = &text;
        sorted.sort_unstable_by(|a, b| a.key(fields).cmp(b.key(fields)));
        // Readers disagree on which of two counts: the one that verifies may not be the one that is used.
        if sorted
            .windows(2)
            .any(|two| two[0].key(&text) == two[1].key(&text))
        {
            return Err(Problem::Duplicate);
        }
        Ok(Fields { text, sorted })
    }

    /// The value of a key; keys are case-sensitive.
    pub fn get(&self, key: &str) -> Option<&str> {
        let line = self
            .sorted
            .iter()
            .find(|line| line.key(&self.text) == key)?;
        Some(&self.text[line.middle + 1..line.end])
    }

    /// Appends the signed message: `key=value` lines in order, joined by LF, without the given keys.
    pub fn sign(&self, without: &[&str], message: &mut String) {
        message.reserve(self.text.len());
        let mut joint = "";
        for line in &self.sorted {
            if !without.contains(&line.key(&self.text)) {
                message.push_str(joint);
                message.push_str(&self.text[line.start..line.end]);
                joint = "\n";
            }
        }
    }
}

impl Line {
    fn key<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.middle]
    }
}

const NOT_UTF_8: Problem = Problem::Format("it is not UTF-8");

/// Appends a pair, decoded, and an LF.
fn line(pair: &[u8], text: &mut Vec<u8>) -> Result<Line, Problem> {
    let at = pair.iter().position(|byte| *byte == b'=');
    let at = at.ok_or(Problem::Format("a pair has no `=`"))?;
    let start = text.len();
    decode(&pair[..at], text)?;
    let middle = text.len();
    text.push(b'=');
    decode(&pair[at + 1..], text)?;
    let end = text.len();
    text.push(b'\n');
    // `a%3Db=c` would sign as the line of `a=b%3Dc`: a field could be folded away under another name.
    if start == middle || text[start..middle].contains(&b'=') {
        return Err(Problem::Format("a key is empty or holds `=`"));
    }
    Ok(Line { start, middle, end })
}

/// Decodes once. A line break would fold two fields into one with the same signed message.
fn decode(encoded: &[u8], text: &mut Vec<u8>) -> Result<(), Problem> {
    let start = text.len();
    let mut ascii = true;
    let mut rest = encoded.iter();
    while let Some(byte) = rest.next() {
        let byte = match *byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| hex_digit(*byte));
                let (high, low) = (digit(), digit());
                let code = high.zip(low).map(|(high, low)| high << 4 | low);
                code.ok_or(Problem::Format("a `%` is no escape"))?
            }
            other => other,
        };
        if matches!(byte, b'\n' | b'\r' | 0) {
            return Err(Problem::Newline);
        }
        ascii &= byte.is_ascii();
        text.push(byte);
    }
    // Here and not at the end: which of two mistakes is named must not depend on how they are looked for.
    if !ascii && std::str::from_utf8(&text[start..]).is_err() {
        return Err(NOT_UTF_8);
    }
    Ok(())
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(init_data: &str) -> String {
        let fields = Fields::parse(init_data).expect("the test's initData is well-formed");
        let mut message = String::new();
        fields.sign(&["hash"], &mut message);
        message
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
    fn the_first_mistake_counts() {
        let code = |text: &str| Fields::parse(text).map(|_| ()).map_err(Problem::code);
        for (text, want) in [
            ("a%0A&b", "format"),
            ("a=%ff&b=%0A", "format"),
            ("a=%0A&b=%ff", "newline"),
            ("%c3=%a4", "format"),
            ("%0A=%zz", "newline"),
            ("=%0A", "newline"),
            ("a=1&a=1&b=%0A", "newline"),
        ] {
            assert_eq!(code(text), Err(want), "{text:?}");
        }
        assert_eq!(message("a=%c3%a4"), "a=\u{e4}");
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
