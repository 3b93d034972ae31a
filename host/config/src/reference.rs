//! docs/config.md, made of the tables the reader checks against.

use std::fmt::Write as _;

use crate::keys::{Fallback, Key, SECTIONS, Shape};

const HEAD: &str = "\
# gateway.toml

Every key, its shape and what it is when left out. This page is made from the tables that the gateway checks
the file against (`host/config/src/keys`); `UPDATE=1 cargo test -p portcullis-config` writes it again.

Durations are whole numbers with `ms`, `s`, `m`, `h` or `d`; sizes have `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB` or
`GB`. Names of plugins, upstreams, limits and routes are 1 to 64 of `a-z`, `0-9`, `_` and `-`. A key that is not on
this page is a mistake, and all mistakes are told at once.
";

/// The reference of gateway.toml in Markdown.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{}`\n\n{}\n\n", section.title, section.doc);
        page.push_str("| key | value | default | what it is |\n|---|---|---|---|\n");
        for key in section.keys {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                key.name,
                shape(&key.shape),
                default(key),
                key.doc
            );
        }
    }
    page
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Count(least, most) => format!("number, {least} to {most}"),
        Shape::Duration(least, most) => format!("duration, {least} to {most}"),
        Shape::Size(least, most) => format!("size, {least} to {most}"),
        Shape::Percent(least, most) => format!("per cent, {least}% to {most}%"),
        Shape::Statuses => "list of statuses, 400 to 599".to_owned(),
        Shape::Choice(choices) => {
            let choices: Vec<_> = choices
                .iter()
                .map(|choice| format!("`\"{choice}\"`"))
                .collect();
            choices.join(", ")
        }
        Shape::Address => "IP address and port".to_owned(),
        Shape::Text | Shape::Name(_) => "string".to_owned(),
        Shape::Secret => "string, `{ env = … }` or `{ file = … }`".to_owned(),
        Shape::List => "list of strings".to_owned(),
        Shape::OneOrList => "string or list of strings".to_owned(),
        Shape::Table(_)
        | Shape::Named(_)
        | Shape::Conditions
        | Shape::Texts
        | Shape::Secrets
        | Shape::Rates
        | Shape::Settings => "table".to_owned(),
        Shape::Tables(_) => "list of tables".to_owned(),
        Shape::Entries(..) => "list of strings or tables".to_owned(),
    }
}

fn default(key: &Key) -> String {
    match key.fallback {
        Fallback::Required => "**required**".to_owned(),
        Fallback::Words(words) => words.to_owned(),
        Fallback::Value(text) if matches!(key.shape, Shape::Flag | Shape::Count(..)) => {
            format!("`{text}`")
        }
        Fallback::Value(text) => format!("`\"{text}\"`"),
    }
}
