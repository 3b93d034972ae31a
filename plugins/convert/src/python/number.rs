//! Number literals: to the text that JSON writes for the same value.

use super::MOST_DIGITS;
use super::read::Cursor;
use crate::tree::{Mistake, Value};

/// Nine decimal digits per word of a long integer.
const WORD: u64 = 1_000_000_000;

/// Reads a number with its sign.
pub fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, Mistake> {
    let start = *cursor;
    let minus = cursor.eat("-");
    if minus || cursor.eat("+") {
        cursor.skip(|c| matches!(c, ' ' | '\t'));
    }
    let token = token(cursor);
    if !token.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
        return Err(start.malformed("a sign stands before a number"));
    }
    if token.ends_with(['j', 'J']) {
        return Err(start.unfit("a complex number"));
    }
    let bad = || start.malformed("this is no number");
    let radix = token.get(..2).and_then(|prefix| match prefix {
        "0x" | "0X" => Some(16),
        "0o" | "0O" => Some(8),
        "0b" | "0B" => Some(2),
        _ => None,
    });
    let digits = match radix {
        Some(radix) => {
            let digits = grouped(token[2..].strip_prefix('_').unwrap_or(&token[2..]), radix);
            Some(decimal(&digits.ok_or_else(bad)?, radix, start)?)
        }
        None if token.contains(['.', 'e', 'E']) => None,
        None => Some(whole(&grouped(token, 10).ok_or_else(bad)?, start)?),
    };
    let digits = match digits {
        Some(whole) if whole == "0" => return Ok(Value::Number("0".into())), // an int has no minus zero
        Some(whole) => whole,
        None => float(token, start)?,
    };
    let sign = if minus { "-" } else { "" };
    Ok(Value::Number(format!("{sign}{digits}").into()))
}

/// What reads on as one token: digits, letters, points, and a sign after a decimal exponent.
fn token<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    let text = cursor.rest();
    let radix = text.len() > 1 && text.starts_with('0') && !text[1..].starts_with(['e', 'E']);
    let based = radix && text[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    let mut last = '0';
    let end = text.find(|c: char| {
        let signed = !based && matches!(c, '+' | '-') && matches!(last, 'e' | 'E');
        last = c;
        !(signed || c == '.' || c == '_' || c.is_alphanumeric())
    });
    let token = &text[..end.unwrap_or(text.len())];
    for _ in token.chars() {
        cursor.take();
    }
    token
}

/// The digits without their underscores, which stand alone and between digits.
fn grouped(text: &str, radix: u32) -> Option<String> {
    let mut groups = text.split('_');
    let fits = |group: &str| !group.is_empty() && group.chars().all(|c| c.is_digit(radix));
    groups.all(fits).then(|| text.replace('_', ""))
}

/// A decimal integer: zeros in front only if it is zero.
fn whole(digits: &str, start: Cursor) -> Result<String, Mistake> {
    if digits.bytes().all(|b| b == b'0') {
        return Ok("0".to_owned());
    }
    if digits.starts_with('0') {
        return Err(start.malformed("an integer does not start with a zero"));
    }
    bounded(digits.to_owned(), start)
}

fn bounded(digits: String, start: Cursor) -> Result<String, Mistake> {
    if digits.len() > MOST_DIGITS {
        return Err(start.unfit(&format!("an integer of more than {MOST_DIGITS} digits")));
    }
    Ok(digits)
}

/// From hex, octal or binary.
fn decimal(digits: &str, radix: u32, start: Cursor) -> Result<String, Mistake> {
    let digits = digits.trim_start_matches('0');
    // A decimal digit is worth more than three bits.
    if digits.len() > MOST_DIGITS * 4 {
        return bounded(digits.to_owned(), start);
    }
    let mut words = vec![0_u64]; // the lowest first
    for digit in digits.chars().filter_map(|c| c.to_digit(radix)) {
        let mut carry = u64::from(digit);
        for word in &mut words {
            carry += *word * u64::from(radix);
            *word = carry % WORD;
            carry /= WORD;
        }
        if carry > 0 {
            words.push(carry);
        }
    }
    let mut out = words.pop().unwrap_or_default().to_string();
    for word in words.iter().rev() {
        out.push_str(&format!("{word:09}"));
    }
    bounded(out, start)
}

/// A float: the digits as they are, completed to the grammar of JSON.
fn float(token: &str, start: Cursor) -> Result<String, Mistake> {
    let bad = || start.malformed("this is no number");
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (token, None),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if int.is_empty() && fraction.is_empty() {
        return Err(bad());
    }
    let part = |text: &str| match text {
        "" => Some("0".to_owned()),
        digits => grouped(digits, 10),
    };
    let int = part(int).ok_or_else(bad)?;
    let int = match int.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    };
    let mut out = format!("{int}.{}", part(fraction).ok_or_else(bad)?);
    if let Some(exponent) = exponent {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let digits = grouped(unsigned, 10).ok_or_else(bad)?;
        let sign = if exponent.starts_with('-') { "-" } else { "" };
        out.push_str(&format!("e{sign}{digits}"));
    }
    // Python would read inf, and JSON has none.
    match out.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(out),
        _ => Err(start.unfit("a float beyond all floats")),
    }
}
