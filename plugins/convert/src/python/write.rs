//! A value as CPython's `repr` writes it.

use std::io;

use super::{MOST_DIGITS, printable};
use crate::tree::{Mistake, Out, Value};

/// Writes a literal.
pub fn write(value: &Value, out: &mut Out) -> Result<(), Mistake> {
    match value {
        Value::Null => out.push("None")?,
        Value::Bool(true) => out.push("True")?,
        Value::Bool(false) => out.push("False")?,
        Value::Number(digits) => number(digits, out)?,
        Value::Text(content) => text(content, out)?,
        Value::List(list) => {
            out.push("[")?;
            for (i, value) in list.iter().enumerate() {
                out.push(if i == 0 { "" } else { ", " })?;
                write(value, out).map_err(|mistake| mistake.under(i.to_string()))?;
            }
            out.push("]")?;
        }
        Value::Map(members) => {
            out.push("{")?;
            for (i, (key, value)) in members.iter().enumerate() {
                out.push(if i == 0 { "" } else { ", " })?;
                text(key, out)?;
                out.push(": ")?;
                write(value, out).map_err(|mistake| mistake.under(key))?;
            }
            out.push("}")?;
        }
    }
    Ok(())
}

/// As `json.loads` reads it: with a fraction or an exponent a float, otherwise an int of any size.
fn number(digits: &str, out: &mut Out) -> Result<(), Mistake> {
    if !digits.contains(['.', 'e', 'E']) {
        if digits.len() > MOST_DIGITS {
            let most = format!("Python reads no integer of more than {MOST_DIGITS} digits");
            return Err(Mistake::unwritable(most));
        }
        return Ok(out.push(if digits == "-0" { "0" } else { digits })?);
    }
    match digits.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(out.push(&repr(float))?),
        // Python would make it inf, which no literal is.
        _ => Err(Mistake::unwritable(
            "the number is larger than a Python float",
        )),
    }
}

/// The shortest digits that read as the same float, positional between 1e-4 and 1e16.
fn repr(float: f64) -> String {
    let scientific = shortest(float.abs());
    let sign = if float.is_sign_negative() { "-" } else { "" };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.abs());
    }
    let digits = mantissa.replace('.', "");
    let Ok(point) = usize::try_from(exponent + 1) else {
        let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
        return format!("{sign}0.{:0<zeros$}{digits}", "");
    };
    match digits.split_at_checked(point) {
        Some((int, fraction)) if point > 0 && !fraction.is_empty() => {
            format!("{sign}{int}.{fraction}")
        }
        _ if point == 0 => format!("{sign}0.{digits}"),
        _ => format!("{sign}{digits:0<point$}.0"),
    }
}

/// Of the shortest texts the nearest, and of two equally near ones the even: Rust's own choice there is not
/// CPython's.
fn shortest(float: f64) -> String {
    let some = format!("{float:e}");
    let mantissa = some.split('e').next().unwrap_or_default();
    let decimals = mantissa.len().saturating_sub(2);
    let even = format!("{float:.decimals$e}");
    if even.parse() == Ok(float) {
        even
    } else {
        some
    }
}

/// Single quotes, unless only those are inside; escapes for what `str.isprintable` denies.
fn text(content: &str, out: &mut Out) -> io::Result<()> {
    let quote = if content.contains('\'') && !content.contains('"') {
        '"'
    } else {
        '\''
    };
    let plain = |c: char| c != quote && c != '\\' && printable(c);
    let mut buffer = [0; 4];
    out.push(quote.encode_utf8(&mut buffer))?;
    let mut rest = content;
    while let Some((start, odd)) = rest.char_indices().find(|&(_, c)| !plain(c)) {
        out.push(&rest[..start])?;
        out.push(&escape(odd))?;
        rest = &rest[start + odd.len_utf8()..];
    }
    out.push(rest)?;
    out.push(quote.encode_utf8(&mut buffer))
}

fn escape(c: char) -> String {
    match (c, u32::from(c)) {
        ('\\' | '\'' | '"', _) => format!("\\{c}"),
        ('\n', _) => "\\n".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        (_, code @ ..=0xff) => format!("\\x{code:02x}"),
        (_, code @ ..=0xffff) => format!("\\u{code:04x}"),
        (_, code) => format!("\\U{code:08x}"),
    }
}
