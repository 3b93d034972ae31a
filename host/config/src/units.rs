//! Numbers with units: `"30s"`, `"2MiB"`.

use std::time::Duration;

use crate::mistakes::Fault;

/// Unit and its worth in milliseconds.
const DURATIONS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Unit and its worth in bytes.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// A duration such as `50ms`, `2s`, `1m`, `24h` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    quantity(text, "duration", DURATIONS).map(Duration::from_millis)
}

/// A size in bytes such as `100B`, `64KiB` or `10MB`.
pub(crate) fn size(text: &str) -> Result<u64, Fault> {
    quantity(text, "size", SIZES)
}

/// A whole number of per cent, `50%`.
pub(crate) fn percent(text: &str) -> Result<u32, Fault> {
    let number = text.strip_suffix('%').and_then(|number| {
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| number.parse().ok())?
    });
    number.ok_or_else(|| {
        let hint = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            format!("write \"{text}%\"")
        } else {
            "a share is a whole number and %, \"50%\"".to_owned()
        };
        Fault::new(format!("`{text}` is not a share")).with_hint(hint)
    })
}

fn quantity(text: &str, what: &str, units: &[(&str, u64)]) -> Result<u64, Fault> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let known = format!("a {what} is a whole number and one of {}", names.join(", "));
    if number.is_empty() {
        return Err(Fault::new(format!("`{text}` is not a {what}")).with_hint(known));
    }
    if unit.is_empty() {
        let hint = bare_number_hint(what, number);
        return Err(Fault::new(format!("`{text}` has no unit")).with_hint(hint));
    }
    let Some((_, worth)) = units.iter().find(|(name, _)| *name == unit) else {
        let close = names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(unit.trim()));
        let hint = close.map_or(known, |name| format!("write \"{number}{name}\""));
        return Err(Fault::new(format!("`{text}` is not a {what}")).with_hint(hint));
    };
    let worth = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*worth));
    worth.ok_or_else(|| Fault::new(format!("`{text}` is too large")))
}

/// What to write instead of a number without a unit.
pub(crate) fn bare_number_hint(what: &str, number: &str) -> String {
    match what {
        "share" => format!("write \"{number}%\""),
        "duration" => format!("write \"{number}s\" or \"{number}ms\""),
        _ => format!("write \"{number}KiB\" or \"{number}B\""),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        let table = [
            ("0s", 0),
            ("50ms", 50),
            ("2s", 2_000),
            ("1m", 60_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("007s", 7_000),
        ];
        for (text, millis) in table {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        let wrong = [
            "",
            "s",
            "1",
            "1.5s",
            "-1s",
            "+1s",
            "1 s",
            " 1s",
            "1s ",
            "1S",
            "1sec",
            "1m30s",
            "1e3s",
            "١s",
            "99999999999999999999s",
            "18446744073709551615d",
            "ms1",
        ];
        for text in wrong {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        let table = [
            ("0B", 0),
            ("100B", 100),
            ("64KiB", 65_536),
            ("2MiB", 2_097_152),
            ("1GiB", 1_073_741_824),
            ("1KB", 1_000),
            ("1MB", 1_000_000),
            ("1GB", 1_000_000_000),
        ];
        for (text, bytes) in table {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for text in [
            "",
            "1",
            "1K",
            "1kb",
            "1mib",
            "1 MiB",
            "1.5MiB",
            "-1B",
            "1TiB",
            "99999999999GiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_whole_per_cent() {
        for (text, share) in [("0%", 0), ("50%", 50), ("100%", 100), ("1000%", 1000)] {
            assert_eq!(percent(text).unwrap(), share, "{text}");
        }
        for text in ["", "%", "50", "5.5%", "-1%", "50 %", "+5%", "99999999999%"] {
            assert!(percent(text).is_err(), "{text}");
        }
        assert_eq!(percent("50").unwrap_err().hint.unwrap(), "write \"50%\"");
    }

    #[test]
    fn a_unit_in_the_wrong_case_is_recognised() {
        assert_eq!(size("1mib").unwrap_err().hint.unwrap(), "write \"1MiB\"");
        assert_eq!(duration("1 S").unwrap_err().hint.unwrap(), "write \"1s\"");
    }
}
