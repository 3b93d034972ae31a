//! Dates as gateway.toml writes them: RFC 3339, in UTC.

/// Seconds since 1970 of `2027-01-31` (when the day begins) or `2027-01-31T12:00:00Z`.
pub fn seconds(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, of_day(time.strip_suffix('Z')?)?),
        None => (text, 0),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    if year < 1970 || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    let years: u64 = (1970..year)
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum();
    Some((years + months + day - 1) * 86_400 + time)
}

fn of_day(time: &str) -> Option<u64> {
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Three numbers with this many digits.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (number, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_or_a_second_in_utc() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1)),
            ("2000-02-29", Some(951_782_400)),
            ("2024-12-31T23:59:59Z", Some(1_735_689_599)),
            ("2026-01-01T00:01:00Z", Some(1_767_225_660)),
            ("2100-03-01", Some(4_107_542_400)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("2100-02-29", None),
            ("2025-02-29", None),
            ("2025-04-31", None),
            ("2025-00-01", None),
            ("2025-13-01", None),
            ("2025-01-00", None),
            ("1969-12-31", None),
            ("2025-1-1", None),
            ("2025-01-01T00:00:00", None),
            ("2025-01-01T00:00:00+01:00", None),
            ("2025-01-01T24:00:00Z", None),
            ("2025-01-01T00:60:00Z", None),
            ("2025-01-01T00:00:60Z", None),
            ("2025-01-01 00:00:00Z", None),
            ("2025-01-01T00:00Z", None),
            ("+025-01-01", None),
            ("2025-01-01-01", None),
            ("soon", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(seconds(text), want, "{text}");
        }
    }
}
