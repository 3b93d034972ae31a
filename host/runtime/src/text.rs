//! Text from guests and from wasmtime, fit for one line of a log.

/// A stranger's text for a log line: no line breaks, no terminal control, bounded.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let mut out: String = text
        .chars()
        .take(max)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(max).is_some() {
        out.push('…');
    }
    out
}

/// An error with its causes on one bounded line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    printable(&format!("{error:#}"), 600)
}
