//! Names: which are allowed, and which one was meant.

use std::collections::BTreeSet;

use crate::keys::Section;
use crate::mistakes::Fault;

const LONGEST_NAME: usize = 64;

/// What was meant, if that can be told, and everything that is possible.
pub(crate) fn hint<'n>(
    word: &str,
    known: impl Iterator<Item = &'n str> + Clone,
    intro: &str,
) -> String {
    let list = listed(known.clone());
    match closest(word, known) {
        Some(name) => format!("did you mean `{name}`? {intro} {list}"),
        None => format!("{intro} {list}"),
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn closest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_ascii_lowercase();
    let distances = known.map(|name| (strsim::osa_distance(&word, name), name));
    let limit = (word.chars().count() / 3).clamp(1, 3);
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// A key that a section does not declare.
pub(crate) fn unknown_key(section: &Section, name: &str) -> Fault {
    let fault = Fault::new(format!("{} has no key `{name}`", section.title));
    fault.with_hint(hint(
        name,
        section.keys.iter().map(|key| key.name),
        "its keys are",
    ))
}

/// A name that refers to a table: `plugins = ["NAME"]`.
pub(crate) fn unknown_name(what: &str, name: &str, known: &BTreeSet<&str>) -> Fault {
    let fault = Fault::new(format!("no {what} is named `{name}`"));
    if known.is_empty() {
        return fault.with_hint(format!("there is none yet; write a table [{what}.{name}]"));
    }
    match closest(name, known.iter().copied()) {
        Some(meant) => fault.with_hint(format!("did you mean `{meant}`?")),
        None => fault.with_hint(format!("known: {}", listed(known.iter().copied()))),
    }
}

/// The names of plugins, upstreams and routes: they are labels of metrics too.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(allowed) {
        return Ok(());
    }
    let fault = Fault::new(format!("`{name}` cannot be a name"));
    Err(fault.with_hint("a name is 1 to 64 of a-z, 0-9, `_` and `-`"))
}

/// A token of RFC 9110 section 5.6.2: the shape of methods and header names.
pub(crate) fn is_token(text: &str) -> bool {
    let symbol = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || symbol(b))
}
