//! The words of an expression, as far as mistakes in them should be told at load: the engine itself finds a wrong
//! filter only when a request comes.

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word<'s> {
    Name(&'s str),
    /// Without its quotes.
    Text(&'s str),
    Sign(char),
}

/// The words of one expression.
pub(crate) fn words(code: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => {
                let length = quoted(rest);
                out.push(Word::Text(
                    rest.get(1..length.saturating_sub(1)).unwrap_or(""),
                ));
                length
            }
            c if is_name(c) => {
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                out.push(Word::Name(&rest[..length]));
                length
            }
            c => {
                if !c.is_whitespace() {
                    out.push(Word::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// How long the quoted text at the start is, with its quotes.
pub(crate) fn quoted(text: &str) -> usize {
    let quote = text.chars().next();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if Some(c) == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The words inside of `{{ … }}` and `{% … %}`.
pub(crate) fn words_of_page(page: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('{') {
        let (inside, end) = match rest.as_bytes().get(start + 1) {
            Some(b'{') => (&rest[start + 2..], "}}"),
            Some(b'%') => (&rest[start + 2..], "%}"),
            Some(b'#') => {
                rest = rest[start..].split_once("#}").map_or("", |(_, rest)| rest);
                continue;
            }
            _ => {
                rest = &rest[start + 1..];
                continue;
            }
        };
        let length = until(inside, end);
        out.extend(words(&inside[..length]));
        // Two expressions are not one: `{{ a | }}{{ b }}` is the engine's to refuse.
        out.push(Word::Sign(';'));
        rest = &inside[length..];
    }
    out
}

/// Where `end` stands outside of quotes.
pub(crate) fn until(text: &str, end: &str) -> usize {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(end) {
            return at;
        }
        at += match rest.chars().next() {
            Some('"' | '\'') => quoted(rest),
            Some(c) => c.len_utf8(),
            None => 1,
        };
    }
    text.len()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
