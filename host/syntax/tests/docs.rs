//! docs/security.md lists the header fields that are taken out, as the code has them.

use std::fmt::Write as _;
use std::path::Path;

use portcullis_syntax::headers::{FORWARDING, FORWARDING_PREFIXES};

const BEGIN: &str = "<!-- forwarding -->\n";
const END: &str = "<!-- /forwarding -->";

/// `UPDATE=1` writes the list.
#[test]
fn the_page_on_security_lists_every_forwarding_header() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let text = std::fs::read_to_string(&page).expect("the page is there");
    let (before, rest) = text.split_once(BEGIN).expect("the list has a beginning");
    let (listed, after) = rest.split_once(END).expect("the list has an end");
    if std::env::var_os("UPDATE").is_some() {
        let whole = format!("{before}{BEGIN}{}{END}{after}", list());
        return std::fs::write(&page, whole).expect("the page can be written");
    }
    assert_eq!(listed, list(), "UPDATE=1 writes it");
}

/// Patterns first, a few to a line.
fn list() -> String {
    let patterns = FORWARDING_PREFIXES
        .iter()
        .map(|prefix| format!("`{prefix}*`"));
    let names = FORWARDING.iter().map(|name| format!("`{name}`"));
    let all: Vec<String> = patterns.chain(names).collect();
    let mut text = String::new();
    let mut width = 0;
    for (at, word) in all.iter().enumerate() {
        let end = if at + 1 == all.len() { "." } else { "," };
        if width + word.len() + 2 > 118 {
            text.push('\n');
            width = 0;
        }
        let between = if width == 0 { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{between}{word}{end}");
        width += between.len() + word.len() + 1;
    }
    text.push('\n');
    text
}
