//! String literals: quotes and escapes.

use std::borrow::Cow;

use super::read::Cursor;
use crate::tree::Mistake;

/// Reads from the opening quote to the closing one.
pub fn read<'a>(cursor: &mut Cursor<'a>, raw: bool) -> Result<Cow<'a, str>, Mistake> {
    let start = *cursor;
    let quotes = ["'''", "\"\"\"", "'", "\""];
    let Some(quote) = quotes.into_iter().find(|quote| cursor.eat(quote)) else {
        return Err(start.malformed("a quote is missing"));
    };
    let long = quote.len() == 3;
    let ends = quote.chars().next().unwrap_or('\'');
    let mut out = String::new();
    loop {
        let plain = cursor.skip(|c| c != ends && !matches!(c, '\\' | '\n' | '\r' | '\0'));
        if cursor.eat(quote) {
            return Ok(if out.is_empty() {
                Cow::Borrowed(plain)
            } else {
                Cow::Owned(out + plain)
            });
        }
        out.push_str(plain);
        match cursor.peek() {
            Some('\\') => escape(cursor, raw, &mut out)?,
            Some(c) if long && (c == ends || c == '\n') => {
                cursor.take();
                out.push(c);
            }
            // A carriage return is a line break to Python and would come out as another character.
            Some(_) => return Err(cursor.malformed("the string is not closed in its line")),
            None => return Err(start.malformed("the string is not closed")),
        }
    }
}

/// One escape; Python keeps those that it does not know, backslash and all.
fn escape(cursor: &mut Cursor, raw: bool, out: &mut String) -> Result<(), Mistake> {
    let start = *cursor;
    cursor.take();
    let Some(letter) = cursor.peek().filter(|c| !matches!(c, '\r' | '\0')) else {
        return Err(start.malformed("an escape is not complete"));
    };
    if !raw && matches!(letter, '0'..='7') {
        return octal(cursor, out, start);
    }
    cursor.take();
    let known = match letter {
        _ if raw => None,
        '\n' => return Ok(()),
        '\\' | '\'' | '"' => Some(letter),
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        'x' => Some(hex(cursor, 2, start)?),
        'u' => Some(hex(cursor, 4, start)?),
        'U' => Some(hex(cursor, 8, start)?),
        'N' => return Err(start.unfit("a character by its name")),
        _ => None,
    };
    if known.is_none() {
        out.push('\\');
    }
    out.push(known.unwrap_or(letter));
    Ok(())
}

fn octal(cursor: &mut Cursor, out: &mut String, start: Cursor) -> Result<(), Mistake> {
    let mut code = 0;
    for _ in 0..3 {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        cursor.take();
        code = code * 8 + digit;
    }
    out.push(scalar(code, start)?);
    Ok(())
}

fn hex(cursor: &mut Cursor, length: usize, start: Cursor) -> Result<char, Mistake> {
    let mut code = 0_u32;
    for _ in 0..length {
        let digit = cursor.take().and_then(|c| c.to_digit(16));
        let digit = digit.ok_or_else(|| start.malformed("the escape needs more hex digits"))?;
        code = code << 4 | digit;
    }
    scalar(code, start)
}

/// Half of a surrogate pair is a character to Python and none to UTF-8, nor are two halves written as two
/// escapes one character.
fn scalar(code: u32, start: Cursor) -> Result<char, Mistake> {
    char::from_u32(code).ok_or_else(|| match code {
        0xd800..=0xdfff => start.unfit("half of a surrogate pair"),
        _ => start.malformed("there is no such character"),
    })
}
