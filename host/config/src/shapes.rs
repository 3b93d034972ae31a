//! Single values: from TOML to what a [`Shape`] says, within its bounds.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

use crate::fields::{Item, Word};
use crate::keys::{Key, Shape};
use crate::mistakes::Fault;
use crate::spelling;
use crate::units;

/// With its article, for "must be x, not y".
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn bracketed(fault: Fault, item: Item<'_>) -> Fault {
    match item.get_ref() {
        DeValue::String(text) => fault.with_hint(format!("write [\"{text}\"]")),
        _ => fault,
    }
}

pub(crate) fn read_flag(key: &Key, item: Item<'_>) -> Result<bool, Fault> {
    let wrong = || Fault::wrong_type(key.name, "true or false", item.get_ref());
    item.get_ref().as_bool().ok_or_else(wrong)
}

pub(crate) fn read_count(key: &Key, item: Item<'_>) -> Result<u64, Fault> {
    let Shape::Count(least, most) = key.shape else {
        unreachable!("`{}` is a count", key.name)
    };
    let Some(integer) = item.get_ref().as_integer() else {
        return Err(Fault::wrong_type(
            key.name,
            "a whole number",
            item.get_ref(),
        ));
    };
    match u64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(count) if (least..=most).contains(&count) => Ok(count),
        _ => Err(Fault::new(format!(
            "`{}` must be between {least} and {most}",
            key.name
        ))),
    }
}

/// The text of a value with a unit.
fn measure<'a>(key: &Key, what: &str, item: Item<'a>) -> Result<&'a str, Fault> {
    let example = match what {
        "duration" => "\"30s\"",
        "share" => "\"50%\"",
        _ => "\"64KiB\"",
    };
    match item.get_ref() {
        DeValue::String(text) => Ok(text),
        DeValue::Integer(number) if number.as_str().bytes().all(|b| b.is_ascii_digit()) => {
            let hint = units::bare_number_hint(what, number.as_str());
            Err(Fault::new(format!("`{}` has no unit", key.name)).with_hint(hint))
        }
        other => Err(Fault::wrong_type(
            key.name,
            &format!("a {what} such as {example}"),
            other,
        )),
    }
}

pub(crate) fn read_duration(key: &Key, item: Item<'_>) -> Result<Duration, Fault> {
    let Shape::Duration(least, most) = key.shape else {
        unreachable!("`{}` is a duration", key.name)
    };
    let value = units::duration(measure(key, "duration", item)?)?;
    let bound = |text| units::duration(text).expect("keys.rs has durations");
    within(key, value, (least, bound(least)), (most, bound(most)))
}

pub(crate) fn read_size(key: &Key, item: Item<'_>) -> Result<u64, Fault> {
    let Shape::Size(least, most) = key.shape else {
        unreachable!("`{}` is a size", key.name)
    };
    let value = units::size(measure(key, "size", item)?)?;
    let bound = |text| units::size(text).expect("keys.rs has sizes");
    within(key, value, (least, bound(least)), (most, bound(most)))
}

pub(crate) fn read_percent(key: &Key, item: Item<'_>) -> Result<u32, Fault> {
    let Shape::Percent(least, most) = key.shape else {
        unreachable!("`{}` is a share", key.name)
    };
    let value = units::percent(measure(key, "share", item)?)?;
    let (from, to) = (format!("{least}%"), format!("{most}%"));
    within(key, value, (&from, least), (&to, most))
}

fn within<T: PartialOrd>(
    key: &Key,
    value: T,
    least: (&str, T),
    most: (&str, T),
) -> Result<T, Fault> {
    if value < least.1 || value > most.1 {
        return Err(Fault::new(format!(
            "`{}` must be between {} and {}",
            key.name, least.0, most.0
        )));
    }
    Ok(value)
}

/// `[502, 503]`
pub(crate) fn read_statuses(key: &Key, item: Item<'_>) -> Result<Vec<u16>, Fault> {
    let wrong = || Fault::wrong_type(key.name, "a list of statuses", item.get_ref());
    let list = item.get_ref().as_array().ok_or_else(wrong)?;
    let status = |item: &toml::Spanned<DeValue<'_>>| {
        let number = item.get_ref().as_integer();
        let status = number.and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok());
        let status = status.filter(|status| (400..=599).contains(status));
        status.ok_or_else(|| {
            let fault = Fault::new(format!(
                "each of `{}` must be a status of 400 to 599",
                key.name
            ));
            fault.with_hint(format!("write {} = [502, 503]", key.name))
        })
    };
    list.iter().map(status).collect()
}

pub(crate) fn read_choice(key: &Key, item: Item<'_>) -> Result<&'static str, Fault> {
    let Shape::Choice(choices) = key.shape else {
        unreachable!("`{}` is a choice", key.name)
    };
    let word = Word::of(key.name, item)?;
    let found = choices.iter().find(|choice| **choice == word.text);
    found.copied().ok_or_else(|| {
        let fault = Fault::new(format!("`{}` cannot be `{}`", key.name, word.text));
        fault.with_hint(spelling::hint(
            word.text,
            choices.iter().copied(),
            "it is one of",
        ))
    })
}

pub(crate) fn read_address(key: &Key, item: Item<'_>) -> Result<SocketAddr, Fault> {
    let word = Word::of(key.name, item)?;
    word.text.parse().map_err(|_| {
        let fault = Fault::new(format!("`{}` is not an IP address and a port", word.text));
        let hint = match word
            .text
            .strip_prefix(':')
            .unwrap_or(word.text)
            .parse::<u16>()
        {
            Ok(port) => {
                format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every interface")
            }
            Err(_) => "write \"127.0.0.1:8080\" or \"[::1]:8080\"; names are not looked up here"
                .to_owned(),
        };
        fault.with_hint(hint)
    })
}
